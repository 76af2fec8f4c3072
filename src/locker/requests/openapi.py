"""Bodies that are decoded by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import Operation

from locker.home.described import json_body
from locker.requests.schema import LockerDocument, NewRequest, RequestAnswer


@dataclass
class AskOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(NewRequest)


@dataclass
class TakeOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(LockerDocument)


@dataclass
class AnswerOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(RequestAnswer)
