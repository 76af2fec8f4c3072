"""The bodies as OpenAPI says them: streamed by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from locker.home.described import idempotency_key


@dataclass
class RegisterOperation(Operation):
    def __post_init__(self) -> None:
        self.parameters = [
            *(self.parameters or []),
            idempotency_key(),
        ]
        self.request_body = RequestBody(
            required=True,
            content={
                "application/x-ndjson": OpenAPIMediaType(
                    schema=Schema(
                        type=OpenAPIType.STRING,
                        description=(
                            "A line: what a deposit's JSON part says, and ``item``, ``file`` and ``sha256``; where"
                            " signed data comes with the PDF, ``data_file`` and ``data_sha256``, and perhaps"
                            " ``data_signature_file`` and ``data_signature_sha256``; and perhaps ``replaces_item``, an"
                            " earlier ``item`` in the place of ``replaces``."
                        ),
                    )
                )
            },
        )


@dataclass
class PartOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = RequestBody(
            required=True,
            content={
                "application/zip": OpenAPIMediaType(
                    schema=Schema(type=OpenAPIType.STRING, content_media_type="application/zip")
                ),
                "multipart/form-data": OpenAPIMediaType(
                    schema=Schema(
                        type=OpenAPIType.OBJECT,
                        description="Each file is an entry, known by its file name.",
                        additional_properties=Schema(type=OpenAPIType.STRING, content_media_type="application/pdf"),
                    )
                ),
            },
        )
