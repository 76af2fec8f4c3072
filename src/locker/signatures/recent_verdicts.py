"""Verdicts given a moment ago: the same bytes, asked with the same policy and the same trust, cost their SHA-256."""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from locker.signatures.schema import Verdict

_KEPT_MAX = 512
# A list of trust brings the revocation data at hand, so another status is another list. Only time itself is left: a
# certificate may end, and a list be due.
_STAYS = timedelta(minutes=5)


class RecentVerdicts:
    """At most 512. What ``asked`` holds beside the file is for the caller: policy, trust, times."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Hashable], tuple[datetime, Verdict]] = OrderedDict()

    def find(self, sha256: str, asked: Hashable, *, at: datetime) -> Verdict | None:
        """The verdict on the file of this digest as it would be now, ``judged_for`` included."""
        key = (sha256, asked)
        kept = self._kept.get(key)
        if kept is None:
            return None
        given, verdict = kept
        if not given <= at <= given + _STAYS:
            return None
        self._kept.move_to_end(key)
        return msgspec.structs.replace(verdict, judged_for=at)

    def keep(self, verdict: Verdict, asked: Hashable, *, at: datetime) -> None:
        """On a file whose digest the verdict has."""
        self._kept[verdict.sha256, asked] = (at, verdict)
        while len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)


def sha256_of(path: Path) -> str:
    """Blocks. Raises OSError when ``path`` cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
