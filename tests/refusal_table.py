"""Writes the tables of ``docs/refusals.md``: each code that the locker and the provider answer, from the code itself.

    .venv/bin/python -m tests.refusal_table

What stands between the tables is written by hand and stays.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from idp.refusals import UseDpopNonce
from khizana.answered import App, answered, answered_by_commands, before_the_app, codes, to_redirect_uri
from kit.edge import HTTP_TITLES, PageRefusal
from kit.errors import OAuthRefusal, Refusal
from locker.signatures.reasons import REASONS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "refusals.md"
MARKED = re.compile(r"(<!-- table: ([a-z]+) -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)

Act = Literal["repeat", "correct", "read", "token", "person", "operator", "stop", "report"]
ACTS: dict[Act, str] = {
    "repeat": "The same again after `Retry-After`, without one after some seconds, each time later; with the same"
    " `Idempotency-Key`.",
    "correct": "Never the same again: what is sent must change first. A corrected request has a new `Idempotency-Key`.",
    "read": "Read how it stands now, then decide anew.",
    "token": "Get another access token, then the same again.",
    "person": "Show a person the sentence: only a person can go on.",
    "operator": "Ask those who run this installation: something is not registered or not allowed. Until then,"
    " never again.",
    "stop": "Never again: it is over, it was never there for you, or it is not given.",
    "report": "Nothing that you can do. Tell those who run this installation, with `instance`.",
}

OF_STATUS: dict[int, Act] = {
    303: "person",
    400: "correct",
    401: "token",
    404: "stop",
    405: "correct",
    408: "repeat",
    410: "stop",
    412: "read",
    413: "correct",
    414: "correct",
    415: "correct",
    416: "correct",
    421: "correct",
    422: "correct",
    429: "repeat",
    431: "correct",
    500: "report",
    501: "correct",
    502: "report",
    503: "repeat",
    507: "repeat",
}
"""403 and 409 say nothing of what to do: each of those codes stands below."""

OF_CODE: dict[str, Act | tuple[Act, str]] = {
    # Anywhere.
    "cross-site": "person",
    "fault": ("repeat", "once; then tell us, with `instance`"),
    "forbidden": ("operator", "`detail` names the scope"),
    "invalid": ("correct", "`detail` names what"),
    "not-found": "stop",
    "malformed": ("correct", "`detail` names what, where it can be known"),
    "too-many-requests": ("repeat", "`detail` names the limit"),
    "unauthenticated": "person",
    # The locker.
    "acting-for-another": ("person", "the citizen, without a mandate"),
    "administration-suspended": "operator",
    "authorization-ended": ("person", "a new connection gives it again"),
    "authorization-used": "person",
    "body-cut-short": ("repeat", "if it stays, its parts do not end as multipart says"),
    "batches-full": ("repeat", "when one has ended; `max` says how many"),
    "certificate-unfit": "correct",
    "credential-unknown": "stop",
    "deposit-overtaken": "repeat",
    "detail-not-given": "person",
    "details-missing": ("token", "one that a citizen's connection gives, with `authorization_details`"),
    "digest-mismatch": ("repeat", "nothing was kept; if it stays, the digest is not of these bytes"),
    "document-damaged": "report",
    "export-stands": "read",
    "fields-invalid": ("correct", "`errors` has JSON Pointers and keywords"),
    "fields-only": "stop",
    "file-too-large": ("correct", "`max_bytes`"),
    "idempotency-key-in-flight": "repeat",
    "idempotency-key-missing": "correct",
    "idempotency-key-reused": ("correct", "another body has another key"),
    "in-bin": "correct",
    "infected": ("stop", "`signature` is the scanner's name for it"),
    "insufficient_scope": ("token", "with the scope that `WWW-Authenticate` names"),
    "insufficient_user_authentication": (
        "person",
        "signs in with the `max_age` of `WWW-Authenticate`; then a new token",
    ),
    "invalid-cursor": ("correct", "without `cursor`"),
    "issuer-away": ("repeat", "`standing` and `confirmed_at` are what was last known"),
    "not-an-administration": "operator",
    "not-authentic": (
        "correct",
        "`indication` and `sub_indication` say why ([verification](verification.md#what-a-sub-indication-means))",
    ),
    "not-as-deposited": "report",
    "not-current": "stop",
    "not-for-you": "stop",
    "not-logged-yet": "repeat",
    "not-what-was-asked": "correct",
    "nothing-held": "person",
    "pending-scan": ("repeat", "in minutes"),
    "printed-too-large": ("correct", "`max_bytes`"),
    "purpose-unknown": "operator",
    "quarantine-full": ("repeat", "`Retry-After` is long: those that wait are judged first"),
    "quarantined": "stop",
    "reference-taken": ("read", "most likely it is in already"),
    "replaces-awaited": ("repeat", "when `replaces_item` is deposited"),
    "request-changed": "read",
    "request-too-wide": ("correct", "`beyond` names what"),
    "seal-certificate-unregistered": "operator",
    "seal-overtaken": "repeat",
    "sealing-not-enabled": "operator",
    "sealing-refused": ("correct", "`reason` is one of the [reasons](#reasons-of-a-negative-verdict)"),
    "sign-in-declined": "person",
    "sign-in-lost": "person",
    "sign-in-refused": "person",
    "state-changed": ("read", "`state` and `ETag` say how it is"),
    "state-conflict": ("read", "`state` says what it is now"),
    "subject-unknown": ("person", "compare the identifier with the person's paper"),
    "time-stamp-authority-away": ("repeat", "or let it be sealed at the level that can be reached: `fall_back`"),
    "too-many-awaited": ("correct", "deposit what was revoked early"),
    "too-many-webhook-keys": "repeat",
    "too-many-webhooks": ("correct", "remove one first"),
    "type-not-allowed": "operator",
    "upload-overtaken": "repeat",
    "uploads-full": ("person", "`limit`"),
    "vault-full": ("stop", "`limit`"),
    "view-only": "stop",
    "webhook-disabled": ("correct", "enable it first"),
    "webhook-disabled-by-officer": "operator",
    "wrong-pin": "person",
    # The provider.
    "client-exists": "read",
    "no-legal-ground": "operator",
    "officer-may-not": "operator",
    "officer-proof-refused": "correct",
    "proposal-decided": "read",
    "same-officer": "person",
    "state-refused": "read",
    "unknown-citizen": "stop",
    # Of commands.
    "already-enrolled": "read",
    "client-taken": "correct",
    "key-beside": "correct",
    "keys-folder-taken": "repeat",
    "clock-apart": ("repeat", "when the clock is set"),
    "log-led": "correct",
    "not-to-be-adopted": "report",
    "officer-exists": "read",
    "reference-in-use": "correct",
    "rotation-under-way": "read",
    "seal-key-exists": "stop",
    "too-many-keys": ("correct", "retire those that are over"),
}


class Standard(NamedTuple):
    where: str
    act: Act
    remark: str = ""
    says: str = ""
    """Where no refusal of ours has a sentence: it goes to a redirect URI."""


OAUTH: dict[str, Standard] = {
    "access_denied": Standard("RFC 6749 §4.1.2.1, RFC 8628 §3.5, CIBA §11", "stop", "until the person asks for it"),
    "account_selection_required": Standard("OpenID Connect Core §3.1.2.6", "person", "", "Somebody must be chosen."),
    "authorization_pending": Standard("RFC 8628 §3.5, CIBA §11", "repeat", "after `interval`"),
    "consent_required": Standard("OpenID Connect Core §3.1.2.6", "person", "", "The citizen must be asked."),
    "expired_token": Standard("RFC 8628 §3.5, CIBA §11", "stop", "begin again"),
    "insufficient_scope": Standard("RFC 6750 §3.1", "token", "with the scope that `WWW-Authenticate` names"),
    "insufficient_user_authentication": Standard("RFC 9470 §3", "person"),
    "invalid_authorization_details": Standard(
        "RFC 9396 §5, §6", "correct", "", "A detail is not of a known type and form, or more than what is given."
    ),
    "invalid_binding_message": Standard("CIBA §13", "correct"),
    "invalid_client": Standard("RFC 6749 §5.2", "correct"),
    "invalid_client_metadata": Standard("RFC 7591 §3.2.2", "correct", "the description names the member"),
    "invalid_dpop_proof": Standard("RFC 9449 §5, §7.1", "correct", "a new proof each time"),
    "invalid_grant": Standard("RFC 6749 §5.2", "stop", "begin again"),
    "invalid_redirect_uri": Standard("RFC 7591 §3.2.2", "correct"),
    "invalid_request": Standard("RFC 6749 §4.1.2.1, §5.2, RFC 6750 §3.1", "correct", "the description names what"),
    "invalid_request_object": Standard("RFC 9101 §7", "correct", "", "The request object cannot be read or trusted."),
    "invalid_request_uri": Standard(
        "RFC 9101 §7, RFC 9126 §4", "correct", "", "The address of a request is unknown, used, or cannot be fetched."
    ),
    "invalid_scope": Standard("RFC 6749 §5.2", "correct"),
    "invalid_target": Standard("RFC 8707 §2", "correct"),
    "invalid_token": Standard("RFC 6750 §3.1", "token"),
    "login_required": Standard("OpenID Connect Core §3.1.2.6", "person", "", "The citizen must sign in."),
    "registration_not_supported": Standard(
        "OpenID Connect Core §3.1.2.6", "correct", "", "The parameter `registration` is not read."
    ),
    "slow_down": Standard("RFC 8628 §3.5, CIBA §11", "repeat", "five seconds later each time"),
    "temporarily_unavailable": Standard("RFC 6749 §4.1.2.1, RFC 6585 §4", "repeat", "after `Retry-After`"),
    "unauthorized_client": Standard("RFC 6749 §4.1.2.1, §5.2", "operator"),
    "unknown_user_id": Standard("CIBA §13", "person"),
    "unmet_authentication_requirements": Standard(
        "OpenID Connect Core Unmet Authentication Requirements 1.0",
        "person",
        "",
        "No sign-in here reaches what is asked.",
    ),
    "unsupported_grant_type": Standard("RFC 6749 §5.2", "correct"),
    "unsupported_response_type": Standard("RFC 6749 §4.1.2.1", "correct", "", "Only `response_type=code` is answered."),
    "use_dpop_nonce": Standard("RFC 9449 §8, §9", "repeat", "at once, with the nonce of `DPoP-Nonce`"),
}

PLACES: dict[str, str] = {
    "kit.clock": "signing keys, master keys, archive",
    "locker.access": "sign-in, access tokens",
    "locker.administrations": "administrations",
    "locker.archive": "archive",
    "locker.batches": "batches",
    "locker.catalogue": "document types",
    "locker.deposits": "deposits",
    "locker.disclosing": "single fields",
    "locker.documents": "documents",
    "locker.erasing": "erasure",
    "locker.exporting": "export",
    "locker.log": "history and log",
    "locker.printed": "printed copies",
    "locker.receipts": "receipts",
    "locker.references": "documents that their issuer keeps",
    "locker.rendering": "pictures of pages",
    "locker.requests": "requests",
    "locker.resolving": "addresses of documents",
    "locker.retention": "retention",
    "locker.scanning": "deposits, own files",
    "locker.seals": "seals",
    "locker.shares": "shares",
    "locker.signatures": "seals",
    "locker.signing": "signing keys",
    "locker.trust": "trust lists",
    "locker.uploads": "own files",
    "locker.vault": "whatever is stored",
    "locker.verification": "verification",
    "locker.webhooks": "webhooks",
    "idp.account": "account",
    "idp.activation": "activation",
    "idp.authorization": "authorize, par",
    "idp.backchannel": "bc-authorize",
    "idp.citizens": "citizens",
    "idp.clients": "clients",
    "idp.device": "device",
    "idp.freezing": "freezing",
    "idp.keys": "signing keys",
    "idp.mandates": "mandates",
    "idp.officers": "officers",
    "idp.recovery": "recovery",
    "idp.refusals": "token and others",
    "idp.sign_in": "sign-in",
    "idp.subjects": "resolving identifiers",
    "idp.token": "token, while a citizen is waited for",
    "idp.upstream": "other providers",
    "idp.userinfo": "userinfo, registration",
}
OF_A_LINE = "batches: one line or entry, in the report"
PLACES_OF_CODE: dict[str, str] = {
    "locker.invalid-cursor": "lists",
    **{
        f"locker.{code}": OF_A_LINE
        for code in (
            "entry-encrypted",
            "entry-malformed",
            "entry-method",
            "entry-repeated",
            "entry-too-large",
            "entry-without-length",
            "file-repeated",
            "files-missing",
            "item-repeated",
            "line-too-long",
            "not-in-manifest",
            "reference-repeated",
            "replaces-awaited",
            "replaces-repeated",
        )
    },
}
SAID_SEVERALLY: dict[str, str] = {
    "document-unknown": "the caller has no such document: a citizen holds it, an administration deposited it",
    "file-missing": "the form has no file",
    "file-too-large": "`max_bytes` says what is taken there",
    "idempotency-key-reused": "the key belongs to another body",
    "multipart-malformed": "the parts are not those of this address",
    "reason-needed": "a reason, in words",
    "request-timeout": "the body came too slowly",
}
"""One act and one meaning for a program, said to a person in the words of the place."""

EDGE: dict[str, str] = {
    "address-too-long": "The address is longer than what is accepted here.",
    "head-too-large": "The head of the request is larger than what is accepted here.",
    "http-414": "The address is longer than what is accepted here.",
    "http-415": "No compressed body is accepted here.",
    "http-431": "The head of the request is larger than what is accepted here.",
    "misdirected": "This server does not answer for that name.",
    "not-implemented": "This method is not known here.",
    "too-slow": "The body came too slowly.",
}
"""What is said before an app is asked has a code and no title."""


class Row(NamedTuple):
    code: str
    status: str
    says: str
    place: str
    act: Act
    remark: str

    def line(self) -> str:
        act = f"**{self.act}**" + (f": {self.remark}" if self.remark else "")
        return f"| `{self.code}` | {self.status} | {self.says} | {self.place} | {act} |"


def act_of(code: str, status: int, *, page: bool = False) -> tuple[Act, str]:
    """KeyError for a code whose status does not tell it."""
    if code in OAUTH and code not in OF_CODE:
        return OAUTH[code].act, OAUTH[code].remark
    said = OF_CODE.get(code) or ("person" if page else OF_STATUS[status])
    return said if isinstance(said, tuple) else (said, "")


def rows(refusals: Iterable[type[Refusal]]) -> Iterator[Row]:
    """One for each code, in the order of codes."""
    by_code: dict[str, list[type[Refusal]]] = defaultdict(list)
    for refusal in refusals:
        for code in codes(refusal):
            by_code[code].append(refusal)
    for code, several in sorted(by_code.items()):
        act, remark = act_of(code, several[0].status, page=all(issubclass(one, PageRefusal) for one in several))
        yield Row(
            code,
            _joined(str(one.status) for one in several),
            _joined((one.title for one in several if one.code == code), " / ") or UseDpopNonce.title,
            _joined(map(place_of, several)),
            act,
            remark,
        )


def place_of(refusal: type[Refusal]) -> str:
    app, part = refusal.__module__.split(".")[:2]
    return PLACES_OF_CODE.get(f"{app}.{refusal.code}") or PLACES[f"{app}.{part}"]


def of_app(app: App) -> list[type[Refusal]]:
    """Its own, OAuth's apart: what the floor of both answers is in a table of its own."""
    return [one for one in answered(app) if not one.__module__.startswith("kit.") and not issubclass(one, OAuthRefusal)]


def anywhere() -> list[Row]:
    """What both apps and the edge before them say."""
    found: dict[tuple[str, int], tuple[str, set[str]]] = {}

    def add(code: str, status: int, says: str, place: str) -> None:
        found.setdefault((code, status), (says, set()))[1].add(place)

    for app in ("idp", "locker"):
        for one in answered(app):
            if one.__module__.startswith("kit."):
                add(one.code, one.status, one.title, app)
    for status, (code, title) in HTTP_TITLES.items():
        add(code, status, title, "both")
    for code, status in before_the_app():
        add(code, status, EDGE[code], "both")
    proxy = (ROOT / "deploy" / "edge" / "answers.conf").read_text(encoding="utf-8")
    for told, code in re.findall(r'"status":(\d+),"code":"([a-z-]+)"', proxy):
        says = next((known for (name, _), (known, _) in found.items() if name == code), "") or EDGE[code]
        add(code, int(told), says, "proxy in front")
    return [
        Row(code, str(status), says, _joined(sorted(_together(places))), *act_of(code, status))
        for (code, status), (says, places) in sorted(found.items())
    ]


def _together(places: set[str]) -> set[str]:
    if "both" in places or places >= {"idp", "locker"}:
        places = places - {"idp", "locker"} | {"both"}
    return {"provider" if place == "idp" else place for place in places}


def oauth_lines() -> Iterator[str]:
    told = [one for one in answered("idp") if issubclass(one, OAuthRefusal)]
    sent = to_redirect_uri()
    for code in sorted({code for one in told for code in codes(one)} | sent):
        standard = OAUTH[code]
        ours = [one for one in told if code in codes(one)]
        # At these it is answered to the client itself as well (RFC 9126 §2.3, RFC 8628 §3.1, CIBA §13).
        statuses = sorted({one.status for one in ours} | ({400} if code in sent else set()))
        says = _joined((one.title for one in ours if one.code == code), " / ") or standard.says
        answered_as = ", ".join(map(str, statuses)) + (", redirect" if code in sent else "")
        places = _joined([*map(place_of, ours), *([PLACES["idp.authorization"]] if code in sent else [])])
        act = f"**{standard.act}**" + (f": {standard.remark}" if standard.remark else "")
        yield f"| `{code}` | {answered_as} | {says} | {places} | {act} | {standard.where} |"


def tables() -> dict[str, str]:
    head = ["| code | status | says | at | do |", "|---|---|---|---|---|"]
    idp = of_app("idp")
    pages = [one for one in idp if issubclass(one, PageRefusal)]
    by_commands = [*answered_by_commands("idp"), *answered_by_commands("locker")]
    said = [f"| `{code}` | {message.msgid} |" for code, message in sorted(REASONS.items())]
    return {
        "acts": _table(["| do | |", "|---|---|"], (f"| **{act}** | {what} |" for act, what in ACTS.items())),
        "anywhere": _table(head, (row.line() for row in anywhere())),
        "locker": _table(head, (row.line() for row in rows(of_app("locker")))),
        "provider": _table(head, (row.line() for row in rows(one for one in idp if one not in pages))),
        "pages": _table(head, (row.line() for row in rows(pages))),
        "oauth": _table(["| error | status | says | at | do | standard |", "|---|---|---|---|---|---|"], oauth_lines()),
        "reasons": _table(["| reason | says |", "|---|---|"], said),
        "commands": _table(
            ["| code | says | of | do |", "|---|---|---|---|"],
            (row.line().replace(f"` | {row.status} |", "` |", 1) for row in rows(by_commands)),
        ),
    }


def document(page: str) -> str:
    """The page with its tables as they must be."""
    made = tables()
    return MARKED.sub(lambda found: f"{found[1]}{made[found[2]]}{found[4]}", page)


def _table(head: list[str], lines: Iterable[str]) -> str:
    return "\n".join([*head, *lines, ""])


def _joined(words: Iterable[str], between: str = ", ") -> str:
    return between.join(dict.fromkeys(words))


if __name__ == "__main__":
    PAGE.write_text(document(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
