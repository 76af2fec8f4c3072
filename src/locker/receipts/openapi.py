"""A body that is decoded by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody

from locker.receipts.schema import ReceiptShown
from locker.shares.openapi import schema_of


@dataclass
class ProveAccessOperation(Operation):
    def __post_init__(self) -> None:
        content = {"application/json": OpenAPIMediaType(schema=schema_of(ReceiptShown))}
        self.request_body = RequestBody(required=True, content=content)
