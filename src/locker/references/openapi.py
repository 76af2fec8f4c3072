"""The body is decoded by hand, strictly as a deposit's, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType

from locker.deposits.openapi import inlined
from locker.references.schema import ReferenceRequest


@dataclass
class DepositReferenceOperation(Operation):
    def __post_init__(self) -> None:
        self.parameters = [
            Parameter(
                name="Idempotency-Key",
                param_in="header",
                required=True,
                schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=255),
            )
        ]
        self.request_body = RequestBody(
            required=True, content={"application/json": OpenAPIMediaType(schema=inlined(ReferenceRequest))}
        )
