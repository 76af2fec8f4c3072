"""The upload's body as OpenAPI says it: streamed by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from locker.home.described import idempotency_key


@dataclass
class UploadOperation(Operation):
    def __post_init__(self) -> None:
        self.parameters = [idempotency_key()]
        self.request_body = RequestBody(
            required=True,
            content={
                "multipart/form-data": OpenAPIMediaType(
                    schema=Schema(
                        type=OpenAPIType.OBJECT,
                        required=["file"],
                        properties={
                            "file": Schema(
                                type=OpenAPIType.STRING,
                                content_media_type="application/octet-stream",
                                description="A PDF, a JPEG or a PNG, by its bytes.",
                            )
                        },
                    )
                )
            },
        )
