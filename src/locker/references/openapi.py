"""The body is decoded by hand, strictly as a deposit's, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import Operation

from locker.home.described import idempotency_key, json_body
from locker.references.schema import ReferenceRequest


@dataclass
class DepositReferenceOperation(Operation):
    def __post_init__(self) -> None:
        self.parameters = [idempotency_key()]
        self.request_body = json_body(ReferenceRequest)
