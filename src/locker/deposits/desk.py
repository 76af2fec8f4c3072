from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from kit.audit import Audit
from kit.db import Database
from kit.errors import Unavailable
from kit.throttle import Limit, Throttle
from locker.catalogue.fields import FieldsChecker
from locker.deposits import receive
from locker.deposits.quarantine import QuarantineLimits
from locker.deposits.resolve_subject import Subjects
from locker.scanning.scanner import Scanner
from locker.signatures.judge import SignatureJudge
from locker.signing.ring import SigningKeys
from locker.trust.register import TrustRegister
from locker.vault import Vault


class DepositLimits(msgspec.Struct, frozen=True, kw_only=True):
    receive: receive.Limits
    per_client: Limit
    lease_s: int
    lifetime_s: int
    documents_per_owner_max: int
    bytes_per_owner_max: int
    quarantine: QuarantineLimits


@dataclass(frozen=True, kw_only=True)
class DepositDesk:
    """Everything that a deposit passes through."""

    db: Database
    audit: Audit
    throttle: Throttle
    subjects: Subjects
    fields: FieldsChecker
    trust: TrustRegister
    judge: SignatureJudge
    vault: Vault
    signing: SigningKeys
    locker_url: str
    limits: DepositLimits
    places: "Places"
    scanner: Scanner | None = None


class Places:
    """How many deposits one process works on; each holds a temporary file and may hold a judge.

    One holder has three quarters of them at most: who lets bodies trickle keeps out nobody else.
    """

    def __init__(self, at_once_max: int) -> None:
        self._free = at_once_max
        self._each_max = max(1, at_once_max * 3 // 4)
        self._held = Counter[str]()

    @contextmanager
    def of(self, holder: str) -> Iterator[None]:
        """Raises Unavailable."""
        if self._held[holder] >= self._each_max:
            raise Unavailable("deposits")
        with self:
            self._held[holder] += 1
            try:
                yield
            finally:
                self._held[holder] -= 1
                if not self._held[holder]:
                    del self._held[holder]

    def __enter__(self) -> None:
        if self._free == 0:
            raise Unavailable("deposits")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1
