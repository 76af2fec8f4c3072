"""Bodies that are decoded or streamed by hand, as OpenAPI says them."""

from typing import Any, cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType


def inlined(type_: type[msgspec.Struct]) -> Schema:
    """Without references: such a schema is small, and stands where a body is described by hand."""
    (schema,), components = msgspec.json.schema_components([type_], ref_template="#/{name}")

    def within(value: Any) -> Any:
        if isinstance(value, list):
            return [within(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return within(components[value["$ref"].removeprefix("#/")])
        return {name: within(one) for name, one in value.items()}

    return cast("Schema", within(schema))


def json_body(type_: type[msgspec.Struct]) -> RequestBody:
    return RequestBody(required=True, content={"application/json": OpenAPIMediaType(schema=inlined(type_))})


def idempotency_key() -> Parameter:
    return Parameter(
        name="Idempotency-Key",
        param_in="header",
        required=True,
        schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=255),
    )
