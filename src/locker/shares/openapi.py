"""Bodies that are decoded by hand, so described by hand."""

from dataclasses import dataclass
from typing import cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema

from locker.shares.schema import Narrowing, NewShare


def schema_of(type_: type[msgspec.Struct]) -> Schema:
    """Inlined: these structs refer to nothing else."""
    (reference,), components = msgspec.json.schema_components([type_], ref_template="#/{name}")
    return cast("Schema", components[reference["$ref"].removeprefix("#/")])


def _json(type_: type[msgspec.Struct]) -> RequestBody:
    return RequestBody(required=True, content={"application/json": OpenAPIMediaType(schema=schema_of(type_))})


@dataclass
class CreateShareOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = _json(NewShare)


@dataclass
class NarrowShareOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = _json(Narrowing)
