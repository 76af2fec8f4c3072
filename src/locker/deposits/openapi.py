"""The deposit's body as OpenAPI says it: streamed by hand, so described by hand."""

from dataclasses import dataclass
from typing import Any, cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from locker.deposits.schema import DepositRequest


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


@dataclass
class DepositOperation(Operation):
    def __post_init__(self) -> None:
        self.parameters = [
            Parameter(
                name="Idempotency-Key",
                param_in="header",
                required=True,
                schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=255),
            ),
            Parameter(name="Repr-Digest", param_in="header", schema=Schema(type=OpenAPIType.STRING)),
        ]
        self.request_body = RequestBody(
            required=True,
            content={
                "multipart/form-data": OpenAPIMediaType(
                    schema=Schema(
                        type=OpenAPIType.OBJECT,
                        required=["document", "deposit"],
                        properties={
                            "document": Schema(type=OpenAPIType.STRING, content_media_type="application/pdf"),
                            "deposit": inlined(DepositRequest),
                            "data": Schema(
                                type=OpenAPIType.STRING,
                                content_media_type="application/octet-stream",
                                description="The same facts as signed data: XAdES, JAdES, CAdES or ASiC-E; or any "
                                "data with ``data_signature``.",
                            ),
                            "data_signature": Schema(
                                type=OpenAPIType.STRING,
                                content_media_type="application/octet-stream",
                                description="A detached JAdES or CAdES signature over ``data``.",
                            ),
                        },
                    )
                )
            },
        )
