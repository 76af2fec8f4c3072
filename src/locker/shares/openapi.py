"""Bodies that are decoded by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import Operation

from locker.home.described import json_body
from locker.shares.schema import Narrowing, NewShare


@dataclass
class CreateShareOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(NewShare)


@dataclass
class NarrowShareOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(Narrowing)
