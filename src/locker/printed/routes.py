from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from kit.edge import address_prefix, wants_page
from kit.form import form_of
from kit.i18n import Locale
from kit.throttle import Limit
from locker.access.bearer import CitizenCaller
from locker.documents.read import Reader
from locker.documents.schema import name_in
from locker.home.body import decoded
from locker.home.frame import AnyRequest, headers_of, locale, page, prober
from locker.printed.check import check, status_of
from locker.printed.label_fields import label_fields
from locker.printed.openapi import CheckOperation, PrintOperation
from locker.printed.print_copy import PRINTS, print_copy
from locker.printed.schema import Checked, Printed, PrintedCheck, PrintRequest, Status, TrustedKeys
from locker.printed.views import said
from locker.problem import problems
from locker.wiring import Wiring

_TAGS = ["printed copies"]
_CHECKS = Limit("printed", attempts=60, per_s=60)
_FORM_MAX_BYTES = 16_384


@post(
    "/v1/documents/{document_id:str}/printed",
    operation_id="PrintDocument",
    operation_class=PrintOperation,
    status_code=201,
    responses=problems(400, 401, 403, 404, 422, 429, 502, 503),
    opt={"scope": "documents:share"},
    tags=_TAGS,
)
async def print_document(
    document_id: FromPath[str],
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    caller: NamedDependency[CitizenCaller],
) -> Printed:
    """What goes on a printed copy: a QR code with signed claims, and a short address. Scope ``documents:share``."""
    await wiring.throttle.count(wiring.db, PRINTS, caller.owner)
    copy = await print_copy(
        wiring.db,
        wiring.audit,
        wiring.vault,
        wiring.signing.signer,
        Reader(owner=caller.owner, kind="client", actor=caller.client_id),
        document_id,
        await decoded(request, PrintRequest),
        locker_url=wiring.settings.locker_url,
    )
    return copy.printed


@post(
    "/v1/printed/checks",
    operation_id="CheckPrinted",
    operation_class=CheckOperation,
    status_code=200,
    responses=problems(400, 422, 429, 503),
    tags=_TAGS,
    request_max_body_size=_FORM_MAX_BYTES,
)
async def check_printed(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Checked:
    """Is this code ours, what does it say, and how is its document today? A negative verdict is a 200."""
    return await _check(request, wiring, (await decoded(request, PrintedCheck)).text)


@get("/v1/printed/keys", operation_id="PrintedKeys", tags=_TAGS)
async def trusted_keys(wiring: NamedDependency[Wiring]) -> TrustedKeys:
    """The list that a verifier without a network keeps: ``examples/verify_qr.py`` reads it."""
    return TrustedKeys(
        issuer=wiring.settings.locker_url,
        updated_at=datetime.now(UTC).replace(microsecond=0),
        keys=[key.public_jwk for key in wiring.signing.trusted()],
    )


@get("/p", operation_id="ShowPrintedCheck")
async def form(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    """Where a code leads. Its claims are in the fragment: a script puts them into the form; without one, a person."""
    return page(request, wiring, "locker/printed/check.html", path="/p", reads_fragment=True, checked=None, text="")


@post("/p", operation_id="CheckPrintedForm", status_code=200, request_max_body_size=_FORM_MAX_BYTES)
async def check_form(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    wiring.csrf.check_source(headers_of(request))
    sent = (await form_of(request)).get("text")
    text = sent if isinstance(sent, str) else ""
    checked = await _check(request, wiring, text)
    spoken = locale(request)
    labelled = await label_fields(wiring.db, checked.claims) if checked.claims else []
    return page(
        request,
        wiring,
        "locker/printed/check.html",
        path="/p",
        reads_fragment=False,
        fields=[(row.labels[spoken.value], row.value) for row in labelled],
        checked=checked,
        text=text if not checked.authentic else "",
        **(_said(checked.status, spoken) if checked.status else {"sentence": None}),
    )


@get("/p/{printed_id:str}", operation_id="PrintedStatus", responses=problems(404, 429, 503), tags=_TAGS)
async def status(printed_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """How a printed document is today, by the short address on the paper."""
    await wiring.throttle.count(wiring.db, _CHECKS, address_prefix(prober(request)))
    found = await status_of(wiring.db, wiring.audit, wiring.throttle, printed_id)
    if not wants_page(request):
        return Response(found, media_type="application/json")
    return page(request, wiring, "locker/printed/status.html", **_said(found, locale(request)))


async def _check(request: AnyRequest, wiring: Wiring, text: str) -> Checked:
    await wiring.throttle.count(wiring.db, _CHECKS, address_prefix(prober(request)))
    return await check(
        wiring.db, wiring.audit, wiring.throttle, wiring.signing, text, locker_url=wiring.settings.locker_url
    )


def _said(found: Status, spoken: Locale) -> dict[str, Any]:
    sentence, tone = said(found, spoken)
    return {"sentence": sentence, "tone": tone, "found": found, "name": name_in(found.type_names, spoken)}


ROUTES: list[Any] = [print_document, check_printed, trusted_keys, form, check_form, status]
