"""Bodies that are decoded by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import Operation

from locker.documents.record_schema import ReferenceRevocation, Revocation, Suspension
from locker.home.described import json_body


@dataclass
class RevokeOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(Revocation)


@dataclass
class SuspendOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(Suspension)


@dataclass
class RevokeReferenceOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(ReferenceRevocation)
