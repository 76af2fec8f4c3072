"""The citizen's pages: four small steps, and what is shared now."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from kit.i18n import Locale, Message, _, ascii_digits, strip_controls
from kit.tokens import digest
from locker.access.schema import Citizen
from locker.access.sessions import browser_of, cookie
from locker.documents.fields import open_fields
from locker.documents.list_documents import list_documents
from locker.documents.read import read_again
from locker.documents.schema import name_in
from locker.documents.views import view
from locker.home.frame import AnyRequest, checked_form, locale, page, see_other
from locker.shares.code import in_groups
from locker.shares.create import Sharer
from locker.shares.draft import (
    begin_draft,
    chosen,
    create_from_draft,
    find_draft,
    look_at_draft,
    say_fields,
    say_limits,
    say_recipient,
)
from locker.shares.list_openings import list_openings, sign_twin
from locker.shares.list_shares import find_share, list_shares
from locker.shares.pin import PIN_MIN, normalised
from locker.shares.qr import qr_svg
from locker.shares.refusals import DraftChanged, ShareUnknown
from locker.shares.revoke import revoke
from locker.shares.revoke_all import revoke_all
from locker.shares.schema import DOCUMENTS_MAX, FIELDS_MAX, OPENINGS_MAX, TEXT_MAX
from locker.shares.store import is_token
from locker.shares.unconnected import unconnected
from locker.shares.views import DAYS, FACE_TO_FACE, field_options, share_view
from locker.uploads.shared import named
from locker.wiring import Wiring

_LINK_COOKIE = "__Host-locker-link"
"""The fresh link, in the browser of the citizen who made it, for the page that shows it; we keep its digest only."""
_LINK_COOKIE_S = 600
_PAGE = 20
_CHOICE = 100
_NAME_MAX = 200


@get("/wallet/shares", operation_id="ShowShares")
async def shares(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
    after: FromQuery[str | None] = None,
) -> Response[str]:
    spoken = locale(request)
    listed = await list_shares(wiring.db, wiring.cursors, owner=citizen.owner, live_only=True, after=after, limit=_PAGE)
    stopped = await unconnected(wiring.db, wiring.provider, listed.shares, owner=citizen.owner)
    return page(
        request,
        wiring,
        "locker/shares/shares.html",
        citizen=citizen,
        shares=[share_view(share, spoken, is_connected=share.share_id not in stopped) for share in listed.shares],
        first=after is None,
        following=f"/wallet/shares?after={listed.next}" if listed.next else None,
    )


@post("/wallet/shares/revoke-all", operation_id="RevokeAll")
async def revoke_all_links(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[bytes]:
    await checked_form(request, wiring)
    await revoke_all(wiring.db, wiring.audit, sharer=_self(citizen))
    return see_other("/wallet/shares")


@get("/wallet/shares/new", operation_id="ChooseDocuments")
async def choose(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[str]:
    return await _choose_page(
        request,
        wiring,
        citizen,
        values=request.query_params.getall("document", []),
        uploads=request.query_params.getall("upload", []),
    )


@post("/wallet/shares/new", operation_id="SayDocuments")
async def say_documents(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[Any]:
    form = await checked_form(request, wiring)
    document_ids = list(dict.fromkeys(str(value) for value in form.getall("document", [])))
    upload_ids = list(dict.fromkeys(str(value) for value in form.getall("upload", [])))
    if not 1 <= len(document_ids) + len(upload_ids) <= DOCUMENTS_MAX:
        error = _("Choose at least one document and at most %(max)s.", max=DOCUMENTS_MAX)
        errors = {"document": error}
        return await _choose_page(request, wiring, citizen, values=document_ids, uploads=upload_ids, errors=errors)
    draft_id = await begin_draft(wiring.db, owner=citizen.owner, document_ids=document_ids, upload_ids=upload_ids)
    return see_other(f"/wallet/shares/new/{draft_id}/recipient")


async def _choose_page(
    request: AnyRequest,
    wiring: Wiring,
    citizen: Citizen,
    *,
    values: list[str],
    uploads: list[str],
    errors: dict[str, Message] | None = None,
) -> Response[str]:
    spoken = locale(request)
    listed = await list_documents(wiring.db, wiring.cursors, owner=citizen.owner, after=None, limit=_CHOICE)
    views = [view(document, spoken) for document in listed.documents]
    current = [it for it in views if it.document.standing in ("valid", "expired", "superseded")]
    return page(
        request,
        wiring,
        "locker/shares/choose.html",
        citizen=citizen,
        status=422 if errors else 200,
        documents=current,
        values=values,
        own_files=await named(wiring.uploads, owner=citizen.owner, limit=_CHOICE),
        own_values=uploads,
        errors=errors or {},
    )


@get("/wallet/shares/new/{draft_id:str}/recipient", operation_id="AskRecipient")
async def ask_recipient(
    draft_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[str]:
    draft = await find_draft(wiring.db, owner=citizen.owner, draft_id=draft_id)
    return _recipient_page(request, wiring, citizen, draft_id, recipient=draft.recipient, purpose=draft.purpose)


@post("/wallet/shares/new/{draft_id:str}/recipient", operation_id="SayRecipient")
async def recipient_said(
    draft_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[Any]:
    form = await checked_form(request, wiring)
    recipient, purpose = _line(form.get("recipient")), _line(form.get("purpose"))
    errors: dict[str, Message] = {}
    if not recipient:
        errors["recipient"] = _("Write who will receive the link.")
    if not purpose:
        errors["purpose"] = _("Write what it is for.")
    for name, text in (("recipient", recipient), ("purpose", purpose)):
        if len(text) > TEXT_MAX:
            errors[name] = _("Write at most %(max)s characters.", max=TEXT_MAX)
    if errors:
        return _recipient_page(request, wiring, citizen, draft_id, recipient=recipient, purpose=purpose, errors=errors)
    await say_recipient(wiring.db, owner=citizen.owner, draft_id=draft_id, recipient=recipient, purpose=purpose)
    return see_other(f"/wallet/shares/new/{draft_id}/limits")


def _recipient_page(
    request: AnyRequest,
    wiring: Wiring,
    citizen: Citizen,
    draft_id: str,
    *,
    recipient: str,
    purpose: str,
    errors: dict[str, Message] | None = None,
) -> Response[str]:
    return page(
        request,
        wiring,
        "locker/shares/recipient.html",
        citizen=citizen,
        status=422 if errors else 200,
        draft_id=draft_id,
        recipient=recipient,
        purpose=purpose,
        text_max=TEXT_MAX,
        errors=errors or {},
    )


@get("/wallet/shares/new/{draft_id:str}/limits", operation_id="AskLimits")
async def ask_limits(
    draft_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[str]:
    draft = await find_draft(wiring.db, owner=citizen.owner, draft_id=draft_id)
    said = {
        "days": FACE_TO_FACE if draft.face_to_face else str(draft.days),
        "openings": str(draft.openings),
        "view_only": draft.view_only,
        "client_id": draft.client_id or "",
    }
    return _limits_page(request, wiring, citizen, draft_id, said)


@post("/wallet/shares/new/{draft_id:str}/limits", operation_id="SayLimits")
async def limits_said(
    draft_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[Any]:
    form = await checked_form(request, wiring)
    said = {
        "days": _line(form.get("days")),
        "openings": ascii_digits(_line(form.get("openings"))),
        "view_only": form.get("view_only") is not None,
        "client_id": _line(form.get("client_id")),
    }
    pin_typed = str(form.get("pin") or "")
    errors: dict[str, Message] = {}
    face_to_face = said["days"] == FACE_TO_FACE
    if not face_to_face and said["days"] not in {str(days) for days in _days(wiring)}:
        errors["days"] = _("Choose how long the link works.")
    openings = int(str(said["openings"])) if _is_number(said["openings"]) else 0
    if not 1 <= openings <= OPENINGS_MAX:
        errors["openings"] = _("Write a number from 1 to %(max)s.", max=OPENINGS_MAX)
    pin = normalised(pin_typed) if pin_typed.strip() else None
    if pin_typed.strip() and len(pin or "") < PIN_MIN:
        errors["pin"] = _("A PIN has 6 to 12 digits.")
    if len(str(said["client_id"])) > 255:
        errors["client_id"] = _("Write at most %(max)s characters.", max=255)
    if errors:
        return _limits_page(request, wiring, citizen, draft_id, said, errors=errors)
    await say_limits(
        wiring.db,
        wiring.shares.pins,
        owner=citizen.owner,
        draft_id=draft_id,
        days=1 if face_to_face else int(str(said["days"])),
        face_to_face=face_to_face,
        openings=openings,
        view_only=bool(said["view_only"]),
        client_id=str(said["client_id"]) or None,
        pin=pin,
    )
    return see_other(f"/wallet/shares/new/{draft_id}/check")


def _limits_page(
    request: AnyRequest,
    wiring: Wiring,
    citizen: Citizen,
    draft_id: str,
    said: dict[str, Any],
    *,
    errors: dict[str, Message] | None = None,
) -> Response[str]:
    return page(
        request,
        wiring,
        "locker/shares/limits.html",
        citizen=citizen,
        status=422 if errors else 200,
        draft_id=draft_id,
        said=said,
        days=_days(wiring),
        face_to_face=FACE_TO_FACE,
        openings_max=OPENINGS_MAX,
        errors=errors or {},
    )


@get("/wallet/shares/new/{draft_id:str}/check", operation_id="CheckShare")
async def check(
    draft_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[str]:
    return await _check_page(request, wiring, citizen, draft_id)


async def _check_page(
    request: AnyRequest,
    wiring: Wiring,
    citizen: Citizen,
    draft_id: str,
    *,
    errors: dict[str, Message] | None = None,
    status: int = 200,
) -> Response[str]:
    spoken = locale(request)
    draft, seen = await look_at_draft(wiring.db, owner=citizen.owner, draft_id=draft_id)
    documents = await chosen(wiring.db, owner=citizen.owner, document_ids=draft.documents)
    shown = [
        (view(it, spoken), await _labels(wiring, citizen, it.document_id, draft.fields.get(it.document_id), spoken))
        for it in documents
    ]
    return page(
        request,
        wiring,
        "locker/shares/check.html",
        citizen=citizen,
        status=status,
        draft_id=draft_id,
        draft=draft,
        seen=seen,
        errors=errors or {},
        documents=shown,
        own_files=await named(wiring.uploads, owner=citizen.owner, upload_ids=draft.uploads),
        only_fields=not draft.uploads and all(fields for _it, fields in shown),
    )


async def _labels(
    wiring: Wiring, citizen: Citizen, document_id: str, names: list[str] | None, spoken: Locale
) -> list[str]:
    """Of the fields that alone are shared; none where the whole document is."""
    if not names:
        return []
    document = await read_again(wiring.db, owner=citizen.owner, document_id=document_id)
    return [option.label for option in field_options(document, dict.fromkeys(names), spoken)]


@get("/wallet/shares/new/{draft_id:str}/fields", operation_id="AskFields")
async def ask_fields(
    draft_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[str]:
    """Each document with its fields: none chosen shares it whole."""
    spoken = locale(request)
    draft = await find_draft(wiring.db, owner=citizen.owner, draft_id=draft_id)
    documents = []
    for listed in await chosen(wiring.db, owner=citizen.owner, document_ids=draft.documents):
        held = await read_again(wiring.db, owner=citizen.owner, document_id=listed.document_id)
        fields = await open_fields(wiring.vault, held)
        options = [(it.name, it.label, it.value) for it in field_options(held, fields, spoken)]
        documents.append((view(listed, spoken), options, draft.fields.get(listed.document_id, [])))
    return page(request, wiring, "locker/shares/fields.html", citizen=citizen, draft_id=draft_id, documents=documents)


@post("/wallet/shares/new/{draft_id:str}/fields", operation_id="SayFields")
async def fields_said(
    draft_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[bytes]:
    form = await checked_form(request, wiring)
    draft = await find_draft(wiring.db, owner=citizen.owner, draft_id=draft_id)
    said = {document_id: form.getall(f"fields-{document_id}", []) for document_id in draft.documents}
    fields = {
        document_id: list(dict.fromkeys(str(name)[:_NAME_MAX] for name in names))[:FIELDS_MAX]
        for document_id, names in said.items()
        if names
    }
    await say_fields(wiring.db, owner=citizen.owner, draft_id=draft_id, fields=fields)
    return see_other(f"/wallet/shares/new/{draft_id}/check")


@post("/wallet/shares/new/{draft_id:str}/check", operation_id="MakeShare")
async def make(
    draft_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[Any]:
    form = await checked_form(request, wiring)
    try:
        created = await create_from_draft(wiring.shares, owner=citizen.owner, draft_id=draft_id, seen=form.get("seen"))
    except DraftChanged as refusal:
        errors = {"": Message(refusal.title)}
        return await _check_page(request, wiring, citizen, draft_id, errors=errors, status=refusal.status)
    there = f"/wallet/shares/{draft_id}"
    if created is None:
        # Made already, or never a draft: then it leads nowhere.
        await find_share(wiring.db, owner=citizen.owner, share_id=draft_id)
        return see_other(there)
    return see_other(there, cookies=[cookie(_LINK_COOKIE, created.token, max_age_s=_LINK_COOKIE_S)])


@get("/wallet/shares/{share_id:str}", operation_id="ShowShare")
async def share_page(
    share_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[str]:
    spoken = locale(request)
    share = await find_share(wiring.db, owner=citizen.owner, share_id=share_id)
    stopped = await unconnected(wiring.db, wiring.provider, [share], owner=citizen.owner)
    token = await _fresh_token(request, wiring, citizen, share_id) if share.live else None
    code = wiring.shares.codes.of_token(token) if token and share.face_to_face else None
    return page(
        request,
        wiring,
        "locker/shares/share.html",
        citizen=citizen,
        it=share_view(share, spoken, is_connected=share_id not in stopped),
        share=share,
        documents=[
            (name_in(each.type_names, spoken), await _labels(wiring, citizen, each.document_id, each.fields, spoken))
            for each in share.documents
        ],
        link=f"{wiring.settings.locker_url}/s/{token}" if token else None,
        code=in_groups(code) if code else None,
        code_address=f"{wiring.settings.locker_url}/code",
        openings=await list_openings(wiring.db, owner=citizen.owner, share_id=share_id),
    )


@get("/wallet/shares/{share_id:str}/openings/{opening_id:str}/receipt", operation_id="DownloadTwinReceipt")
async def twin_receipt(
    share_id: FromPath[str],
    opening_id: FromPath[str],
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[str]:
    """The citizen's own of what the opener got."""
    receipt = await sign_twin(
        wiring.db,
        wiring.signing,
        locker_url=wiring.settings.locker_url,
        owner=citizen.owner,
        share_id=share_id,
        opening_id=opening_id,
    )
    return Response(
        receipt,
        media_type="application/jwt",
        headers={"Content-Disposition": 'attachment; filename="access-receipt.jwt"'},
    )


@get("/wallet/shares/{share_id:str}/qr.svg", operation_id="ShowShareCode")
async def share_code(
    share_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[bytes]:
    token = await _fresh_token(request, wiring, citizen, share_id)
    if token is None:
        raise ShareUnknown
    return Response(qr_svg(f"{wiring.settings.locker_url}/s/{token}"), media_type="image/svg+xml")


@post("/wallet/shares/{share_id:str}/revoke", operation_id="RevokeOne")
async def revoke_one(
    share_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    citizen: NamedDependency[Citizen],
) -> Response[bytes]:
    await checked_form(request, wiring)
    await revoke(wiring.db, wiring.audit, sharer=_self(citizen), share_id=share_id)
    return see_other("/wallet/shares")


async def _fresh_token(request: AnyRequest, wiring: Wiring, citizen: Citizen, share_id: str) -> str | None:
    token = browser_of(request.cookies.get(_LINK_COOKIE))
    if token and await is_token(wiring.db, owner=citizen.owner, share_id=share_id, token_sha256=digest(token)):
        return token
    return None


def _days(wiring: Wiring) -> tuple[int, ...]:
    return tuple(days for days in DAYS if days * 86_400 <= wiring.settings.share_lifetime_max_s)


def _self(citizen: Citizen) -> Sharer:
    return Sharer(owner=citizen.owner, actor=citizen.owner)


def _line(value: object) -> str:
    return " ".join(strip_controls(str(value or "").replace("\r", " ").replace("\n", " ")).split())[: TEXT_MAX + 60]


def _is_number(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4


ROUTES = [
    shares,
    revoke_all_links,
    choose,
    say_documents,
    ask_recipient,
    recipient_said,
    ask_limits,
    limits_said,
    check,
    ask_fields,
    fields_said,
    make,
    share_page,
    share_code,
    twin_receipt,
    revoke_one,
]
