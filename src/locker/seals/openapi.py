"""The body of a seal request as OpenAPI says it: streamed by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from locker.home.described import idempotency_key, inlined
from locker.seals.schema import SealRequest


@dataclass
class SealOperation(Operation):
    def __post_init__(self) -> None:
        self.parameters = [
            idempotency_key(),
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
                            "seal": inlined(SealRequest),
                        },
                    )
                )
            },
        )
