"""The body is streamed by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType


@dataclass
class VerifyOperation(Operation):
    def __post_init__(self) -> None:
        pdf = Schema(type=OpenAPIType.STRING, content_media_type="application/pdf")
        form = Schema(type=OpenAPIType.OBJECT, required=["document"], properties={"document": pdf})
        self.request_body = RequestBody(
            required=True,
            content={
                "multipart/form-data": OpenAPIMediaType(schema=form),
                "application/pdf": OpenAPIMediaType(schema=pdf),
            },
        )
