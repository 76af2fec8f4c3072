"""Bodies that are decoded by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import Operation

from locker.home.described import json_body
from locker.printed.schema import PrintedCheck, PrintRequest


@dataclass
class PrintOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(PrintRequest)


@dataclass
class CheckOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(PrintedCheck)
