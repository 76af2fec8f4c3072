"""The body is streamed by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType


@dataclass
class VerifyOperation(Operation):
    def __post_init__(self) -> None:
        pdf = Schema(type=OpenAPIType.STRING, content_media_type="application/pdf")
        signature = Schema(
            type=OpenAPIType.STRING,
            content_media_type="application/octet-stream",
            description="A signature beside the document, over all of it: CAdES (CMS) or JAdES (JWS).",
        )
        at = Schema(type=OpenAPIType.STRING, description="The same as the parameter of this name.")
        form = Schema(
            type=OpenAPIType.OBJECT,
            required=["document"],
            properties={"document": pdf, "signature": signature, "at": at},
        )
        self.request_body = RequestBody(
            required=True,
            content={
                "multipart/form-data": OpenAPIMediaType(schema=form),
                "application/pdf": OpenAPIMediaType(schema=pdf),
            },
        )
        answered = (self.responses or {}).get("200")
        if isinstance(answered, OpenAPIResponse) and answered.content is not None:
            # The reports that are no JSON: ETSI TS 119 102-2, and a sealed page.
            answered.content["application/xml"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
            answered.content["application/pdf"] = OpenAPIMediaType(
                schema=Schema(type=OpenAPIType.STRING, content_media_type="application/pdf")
            )
