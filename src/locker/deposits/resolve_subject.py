"""From what a depositor knows of a citizen to the locker's own ``sub``. Deposits that come at once share a request."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from kit import strict_json
from kit.errors import Refusal, Unavailable
from kit.gather import APART_S, Gather
from locker.access.provider import Provider
from locker.deposits.refusals import SubjectUnknown
from locker.deposits.schema import Subject

_RESOLVE = "subjects:resolve"
_TRANSLATE = "subjects:resolve subjects:translate"


class _Resolved(msgspec.Struct, frozen=True):
    sub: str | UnsetType = UNSET
    """Absent: no such citizen."""
    dormant: bool = False


class _AllResolved(msgspec.Struct, frozen=True):
    subjects: list[_Resolved]


class Owner(msgspec.Struct, frozen=True):
    sub: str
    """The locker's own."""
    parked: bool
    """Enrolled, and will see it after activating the account."""


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    asked: dict[str, Any]
    by_uid: bool


class Subjects:
    """One for the whole app, so that all its deposits share."""

    def __init__(self, provider: Provider, *, apart_s: float = APART_S) -> None:
        """Who can wait says how far ``apart_s`` requests are, and shares one with more others."""
        self._provider = provider
        self._gather = Gather[_Question, Owner | None](self._ask, name="subject resolution", apart_s=apart_s)

    async def resolve(self, subject: Subject, *, client_id: str, purpose: str) -> Owner:
        """The owner. ``client_id`` is the depositor's: its ``sub`` of the citizen means nothing without it.

        Each call is an event that the citizen sees at the provider, with its ``purpose``.
        Raises SubjectUnknown, Unavailable.
        """
        by_uid = subject.uid is not UNSET
        who = {"uid": subject.uid} if by_uid else {"sub": subject.sub, "client_id": client_id}
        owner = await self._gather(_Question(asked={**who, "purpose": purpose}, by_uid=by_uid))
        if owner is None:
            raise SubjectUnknown
        return owner

    async def _ask(self, questions: Sequence[_Question]) -> Sequence[Owner | None]:
        provider = self._provider
        scope = _RESOLVE if all(one.by_uid for one in questions) else _TRANSLATE
        for _ in range(2):
            token = await provider.machine_token(scope)
            answer = await provider.send(
                "POST",
                f"{provider.issuer}/subjects/resolve-several",
                json={"subjects": [one.asked for one in questions]},
                headers={"Authorization": f"Bearer {token}"},
            )
            if answer.status_code != 401:
                break
            # Revoked before its end: one more try with a fresh one.
            provider.forget_machine_token(scope)
        if answer.status_code in (400, 422):
            # One of them is not well-formed there: they are asked one by one, and it alone is unknown.
            if len(questions) == 1:
                return [None]
            raise _OneByOne
        if answer.status_code != 200:
            raise Unavailable("subject resolution")
        try:
            found = strict_json.decode(answer.content, _AllResolved).subjects
        except msgspec.DecodeError as fault:
            raise Unavailable("subject resolution") from fault
        if len(found) != len(questions):
            raise Unavailable("subject resolution")
        return [None if one.sub is UNSET else Owner(one.sub, one.dormant) for one in found]


class _OneByOne(Refusal):
    """For the gathering alone."""
