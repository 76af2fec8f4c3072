"""What happened with the account, in words, the latest first."""

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from idp.account import store
from idp.account.schema import HistoryLine
from idp.authorization.verified_claims import without_prefix
from idp.clients.schema import ClientMetadata
from idp.consents.released import LABELS
from kit.db import Row, Tx
from kit.i18n import Message, _

PAGE_MAX = 25

_SAID: Mapping[str, Message] = {
    "session.started": _("You signed in"),
    "session.renewed": _("You signed in again"),
    "session.stepped-up": _("You confirmed with a second step"),
    "session.ended": _("A session ended"),
    "password.accepted": _("Your password was entered"),
    "password.set": _("Your password was set"),
    "sign-in.refused": _("A sign-in was refused"),
    "code.sent": _("A code was sent to you"),
    "authenticator.added": _("A second step was set up"),
    "authenticator.removed": _("A second step was removed"),
    "passkey.copy-suspected": _("A passkey that may be a copy was refused"),
    "recovery-codes.made": _("You made new recovery codes"),
    "recovery-code.used": _("A recovery code was used"),
    "recovery.asked": _("Somebody said that they cannot sign in to your account"),
    "recovery.proven": _("Somebody proved to be you, to choose a new password"),
    "recovery.refused": _("A proof to recover your account was refused"),
    "recovery.begun": _("The recovery of your account was started"),
    "recovery.stopped": _("The recovery of your account was stopped"),
    "account.recovered": _("Your account was recovered"),
    "sign-in.disowned": _("You said that a sign-in was not you"),
    "authorization.given": _("You went on to a service"),
    "authorization.refused": _("You refused a service"),
    "ciba.asked": _("A service asked you to confirm"),
    "ciba.blocked": _("You stopped a service from asking you"),
    "ciba.unblocked": _("You let a service ask you again"),
    "consent.given": _("You agreed that a service sees your data"),
    "consent.ended": _("You ended an agreement with a service"),
    "token.issued": _("A service received access"),
    "token.family_ended": _("The access of a service ended"),
    "token.revoked": _("A service gave its access back"),
    "claims.released": _("A service read your data"),
    "subject.resolved": _("An administration looked up your number in its own sector"),
    "citizen.enrolled": _("You were enrolled"),
    "citizen.activated": _("You activated your account"),
    "citizen.suspended": _("Your account was suspended"),
    "citizen.reactivated": _("Your account was opened again"),
    "citizen.frozen": _("Your account was frozen"),
    "citizen.unfrozen": _("Your account was unfrozen"),
    "citizen.unfreeze-asked": _("You asked to open your frozen account"),
    "citizen.unfreeze-refused": _("You said that your account stays frozen"),
    "mandate.given": _("A mandate was given"),
    "mandate.accepted": _("A mandate was accepted"),
    "mandate.recorded": _("A mandate was recorded by an officer"),
    "mandate.ended": _("A mandate ended"),
    "consent.given-for": _("You agreed for somebody else that a service sees their data"),
    "authorization.given-for": _("You went on to a service for somebody else"),
    "service.frozen": _("You froze a service"),
    "service.thawed": _("A frozen service was opened again"),
    "authenticator.frozen": _("A way to sign in was frozen"),
    "authenticator.thawed": _("A frozen way to sign in was opened again"),
    "activation.opened": _("Your activation code was entered"),
    "citizen.read": _("An officer looked at your data"),
    "logout.not-heard": _("A service did not confirm that you signed out"),
    "contact.changed": _("A contact detail was changed"),
    "upstream.linked": _("An account at another provider was linked"),
    "upstream.unlinked": _("The link with an account at another provider was ended"),
    "language.chosen": _("You chose a language"),
}


# What a citizen may look for; a filter is a name and the beginnings of actions.
FILTERS: Mapping[str, tuple[Message, tuple[str, ...]]] = {
    "sign-ins": (_("Sign-ins"), ("session.", "password.accepted", "sign-in.", "code.sent")),
    "services": (
        _("Services and your data"),
        ("authorization.", "consent.", "token.", "claims.", "service.", "subject."),
    ),
    "representation": (_("Acting for others"), ("mandate.", "authorization.given-for", "consent.given-for")),
    "protection": (
        _("What guards your account"),
        ("authenticator.", "password.set", "contact.", "citizen.", "passkey."),
    ),
    "officers": (
        _("Officers and administrations"),
        ("subject.resolved", "citizen.", "mandate.recorded"),
    ),
}


# Whose purpose is a reason that the citizen reads, and no client.
_WITH_REASON = frozenset(
    {"citizen.read", "subject.resolved", "citizen.suspended", "citizen.reactivated", "mandate.ended"}
)


async def history(
    tx: Tx, citizen_id: UUID, *, before: str | None, only: str | None = None
) -> tuple[Sequence[HistoryLine], str | None]:
    """A page of lines, and the mark of the next page. ``only`` is a key of FILTERS; another one filters nothing."""
    actions = None
    if only is not None and only in FILTERS:
        begins = FILTERS[only][1]
        actions = [action for action in _SAID if action.startswith(begins)]
    rows = await store.history(tx, str(citizen_id), before=_mark(before), actions=actions, count_max=PAGE_MAX + 1)
    lines = [_line(row) for row in rows[:PAGE_MAX]]
    further = _marked(rows[PAGE_MAX - 1]) if len(rows) > PAGE_MAX else None
    return lines, further


# They say something about another claim, or about the record.
_UNSAID = ("_verified", "updated_at")


def _line(row: Row) -> HistoryLine:
    metadata = row["metadata"]
    detail = row["detail"]
    browser = detail.get("browser")
    return HistoryLine(
        at=row["at"],
        audit_id=str(row["audit_id"]),
        what=_SAID.get(row["action"], Message(row["action"])),
        refused=row["result"] not in ("ok", ""),
        service=None if metadata is None else msgspec.convert(metadata, ClientMetadata).names(),
        browser=browser if isinstance(browser, str) and browser else None,
        claims=[
            LABELS.get(without_prefix(name), name)
            for name in _names(detail)
            if not name.endswith(("_verified", "updated_at"))
        ],
        ground=detail.get("legal_ground") or detail.get("legal_reference"),
        by_mandate="mandate" in detail,
        detail=detail,
        reason=row["purpose"] if row["action"] in _WITH_REASON else None,
    )


def _names(detail: Mapping[str, Any]) -> Sequence[str]:
    names = detail.get("claims")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _marked(row: Row) -> str:
    text = f"{row['at'].isoformat()}|{row['audit_id']}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _mark(text: str | None) -> tuple[dt.datetime, UUID] | None:
    """A mark that we did not make starts at the top."""
    try:
        at, _sep, audit_id = base64.urlsafe_b64decode((text or "") + "===").decode().partition("|")
        moment = dt.datetime.fromisoformat(at)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC), UUID(audit_id)
    except (ValueError, OverflowError):
        return None
