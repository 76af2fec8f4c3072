"""Bodies that are decoded by hand, so described by hand."""

from dataclasses import dataclass

from litestar.openapi.spec import Operation

from locker.home.described import json_body
from locker.webhooks.schema import NewWebhook, Replay


@dataclass
class RegisterOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(NewWebhook)


@dataclass
class ReplayOperation(Operation):
    def __post_init__(self) -> None:
        self.request_body = json_body(Replay)
