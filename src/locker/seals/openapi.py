"""The body of a seal request as OpenAPI says it: streamed by hand, so described by hand."""

from dataclasses import dataclass
from typing import Any, cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from locker.seals.schema import SealRequest


def _schema() -> dict[str, Any]:
    """Inlined: small, and it refers to nothing but the stamp."""
    (schema,), components = msgspec.json.schema_components([SealRequest], ref_template="#/{name}")
    found = components[schema["$ref"].removeprefix("#/")]
    return {**found, "properties": {**found["properties"], "stamp": components["VisibleStamp"]}}


@dataclass
class SealOperation(Operation):
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
                        required=["document", "seal"],
                        properties={
                            "document": Schema(type=OpenAPIType.STRING, content_media_type="application/pdf"),
                            "seal": cast("Schema", _schema()),
                        },
                    )
                )
            },
        )
