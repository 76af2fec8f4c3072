"""Bodies that are decoded by hand, so described by hand."""

from dataclasses import dataclass
from typing import cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema

from locker.printed.schema import PrintedCheck, PrintRequest


def _json(type_: type[msgspec.Struct]) -> RequestBody:
    """Inlined: these structs refer to nothing else."""
    (reference,), components = msgspec.json.schema_components([type_], ref_template="#/{name}")
    schema = cast("Schema", components[reference["$ref"].removeprefix("#/")])
    return RequestBody(required=True, content={"application/json": OpenAPIMediaType(schema=schema)})


@dataclass
class PrintOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = _json(PrintRequest)


@dataclass
class CheckOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = _json(PrintedCheck)
