"""The deposit's body as OpenAPI says it: streamed by hand, so described by hand."""

from dataclasses import dataclass
from typing import Any, cast

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from locker.deposits.schema import DepositRequest


def _deposit_schema() -> dict[str, Any]:
    """Inlined: our one schema here is small and refers to nothing else."""
    (schema,), components = msgspec.json.schema_components([DepositRequest], ref_template="#/{name}")
    found = components[schema["$ref"].removeprefix("#/")]
    subject = components[found["properties"]["subject"]["$ref"].removeprefix("#/")]
    return {**found, "properties": {**found["properties"], "subject": subject}}


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
                            "deposit": cast("Schema", _deposit_schema()),
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
