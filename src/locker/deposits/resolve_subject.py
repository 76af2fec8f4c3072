"""From what a depositor knows of a citizen to the locker's own ``sub``."""

from typing import Any

import msgspec
from msgspec import UNSET

from kit.errors import Unavailable
from locker.access.provider import Provider
from locker.deposits.refusals import SubjectUnknown
from locker.deposits.schema import Subject

_RESOLVE = "subjects:resolve"
_TRANSLATE = "subjects:resolve subjects:translate"


class _Resolved(msgspec.Struct, frozen=True):
    sub: str


async def resolve_subject(provider: Provider, subject: Subject, *, client_id: str, purpose: str) -> str:
    """The owner. ``client_id`` is the depositor's: its ``sub`` of the citizen means nothing without it.

    Each call is an event that the citizen sees at the provider, with its ``purpose``.
    Raises SubjectUnknown, Unavailable.
    """
    by_uid = subject.uid is not UNSET
    scope = _RESOLVE if by_uid else _TRANSLATE
    asked: dict[str, Any] = {"uid": subject.uid} if by_uid else {"sub": subject.sub, "client_id": client_id}
    for _ in range(2):
        token = await provider.machine_token(scope)
        answer = await provider.send(
            "POST",
            f"{provider.issuer}/subjects/resolve",
            json={**asked, "purpose": purpose},
            headers={"Authorization": f"Bearer {token}"},
        )
        if answer.status_code != 401:
            break
        # Revoked before its end: one more try with a fresh one.
        provider.forget_machine_token(scope)
    if answer.status_code in (400, 404, 422):
        raise SubjectUnknown
    if answer.status_code != 200:
        raise Unavailable("subject resolution")
    try:
        return msgspec.json.decode(answer.content, type=_Resolved).sub
    except msgspec.DecodeError as fault:
        raise Unavailable("subject resolution") from fault
