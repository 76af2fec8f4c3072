"""The citizen's way to a printed copy: a page to be printed as it is shown, without script."""

from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from markupsafe import Markup
from msgspec import UNSET

from kit.errors import TooManyRequests
from locker.access.schema import Citizen
from locker.documents.fields import open_fields, rows
from locker.documents.read import Reader, read_again
from locker.documents.views import view
from locker.home.frame import AnyRequest, checked_form, locale, page
from locker.printed.print_copy import PRINTS, print_copy
from locker.printed.refusals import FieldUnknown, PrintedTooLarge
from locker.printed.schema import PrintRequest
from locker.wiring import Wiring

_FORM_MAX_BYTES = 16_384


@post(
    "/wallet/documents/{document_id:str}/printed",
    operation_id="ShowPrintedCopy",
    status_code=200,
    request_max_body_size=_FORM_MAX_BYTES,
)
async def print_page(
    request: AnyRequest, wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen], document_id: FromPath[str]
) -> Response[str]:
    """A4, in the reader's language. It is this answer's own page: a reload makes another copy, as the browser asks."""
    form = await checked_form(request, wiring)
    # The document's own page chooses nothing, which is all; only the page of choices says that it chose.
    chosen = [name for name in form.getall("fields", []) if isinstance(name, str)] if "choosing" in form else None
    try:
        await wiring.throttle.count(wiring.db, PRINTS, citizen.owner)
        copy = await print_copy(
            wiring.db,
            wiring.audit,
            wiring.vault,
            wiring.signing.signer,
            Reader(owner=citizen.owner, actor=citizen.owner),
            document_id,
            PrintRequest(fields=UNSET if chosen is None else chosen),
            locker_url=wiring.settings.locker_url,
        )
    except TooManyRequests as refusal:
        return _page(request, wiring, citizen, document_id, "limit", refusal=refusal)
    except (PrintedTooLarge, FieldUnknown) as refusal:
        return await _choose(request, wiring, citizen, document_id, chosen=chosen, refusal=refusal)
    spoken = locale(request)
    said = rows(copy.claims.fields, copy.document.fields_schema)
    return _page(
        request,
        wiring,
        citizen,
        document_id,
        "sheet",
        it=view(copy.document, spoken),
        document=copy.document,
        claims=copy.claims,
        printed=copy.printed,
        code=Markup(copy.printed.qr_svg),  # noqa: S704 - what segno drew
        fields=[(row.labels[spoken.value], row.value) for row in said],
    )


async def _choose(
    request: AnyRequest,
    wiring: Wiring,
    citizen: Citizen,
    document_id: str,
    *,
    chosen: list[str] | None,
    refusal: PrintedTooLarge | FieldUnknown,
) -> Response[str]:
    spoken = locale(request)
    document = await read_again(wiring.db, owner=citizen.owner, document_id=document_id)
    fields = await open_fields(wiring.vault, document)
    labels = {name: rows({name: ""}, document.fields_schema)[0].labels[spoken.value] for name in fields}
    return _page(
        request,
        wiring,
        citizen,
        document_id,
        "choose",
        refusal=refusal,
        it=view(document, spoken),
        options=list(labels.items()),
        chosen=chosen or [],
    )


def _page(
    request: AnyRequest,
    wiring: Wiring,
    citizen: Citizen,
    document_id: str,
    template: str,
    *,
    refusal: TooManyRequests | PrintedTooLarge | FieldUnknown | None = None,
    **said: Any,
) -> Response[str]:
    return page(
        request,
        wiring,
        f"locker/printed/{template}.html",
        citizen=citizen,
        path=f"/wallet/documents/{document_id}",
        status=refusal.status if refusal else 200,
        headers=dict(refusal.headers) if refusal else None,
        refusal=refusal,
        document_id=document_id,
        **said,
    )


ROUTES: list[Any] = [print_page]
