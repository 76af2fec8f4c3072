"""Bodies that are decoded by hand, so described by hand."""

from dataclasses import dataclass
from typing import cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema

from locker.requests.schema import NewRequest, RequestAnswer


def _json(type_: type[msgspec.Struct]) -> RequestBody:
    (reference,), components = msgspec.json.schema_components([type_], ref_template="#/{name}")
    schema = cast("Schema", components[reference["$ref"].removeprefix("#/")])
    return RequestBody(required=True, content={"application/json": OpenAPIMediaType(schema=schema)})


@dataclass
class AskOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = _json(NewRequest)


@dataclass
class AnswerOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = _json(RequestAnswer)
