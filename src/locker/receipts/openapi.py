"""A body that is decoded by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import Operation

from locker.home.described import json_body
from locker.receipts.schema import ReceiptShown


@dataclass
class ProveAccessOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(ReceiptShown)
