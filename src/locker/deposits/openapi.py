"""The deposit's body as OpenAPI says it: streamed by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from locker.deposits.schema import DepositRequest
from locker.home.described import idempotency_key, inlined


@dataclass
class DepositOperation(Operation):
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
