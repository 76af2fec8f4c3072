import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from kit.edge import address_prefix, wants_page
from kit.i18n import Message
from kit.throttle import Limit
from locker.access.sessions import SESSION_COOKIE, citizen_of
from locker.documents.schema import name_in
from locker.home.frame import AnyRequest, headers_of, locale, page, prober
from locker.problem import problems
from locker.verification import store
from locker.verification.openapi import VerifyOperation
from locker.verification.receive import Limits, receive
from locker.verification.refusals import AnswerRefused, DocumentUriUnknown, FileMissing, FileTooLarge
from locker.verification.schema import Judged, PublicDocument, Verified
from locker.verification.sign_answer import check_answer, check_report, sign_answer
from locker.verification.verify import Verifier, verify
from locker.verification.views import view
from locker.wiring import Wiring

_URI = re.compile(r"(?:[a-z0-9.]{3,64}-[A-Z0-9]{2,16}-)?([0-9A-HJKMNP-TV-Z]{25})", re.ASCII)
_HANDED_BACK_MAX_BYTES = 500_000


@get("/verify", operation_id="ShowVerify")
async def verify_page(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[str]:
    return await _form(request, wiring)


@post("/verify", operation_id="VerifyFile", status_code=200, request_max_body_size=None)
async def verify_form(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """The result is this answer's own page: nothing is kept, so there is nothing to go on to."""
    wiring.csrf.check_source(headers_of(request))
    try:
        judged = await _judge(request, wiring)
    except (FileMissing, FileTooLarge) as refusal:
        if not wants_page(request):
            raise
        return await _form(request, wiring, errors={"document": Message(refusal.title)}, status=refusal.status)
    jws, report = sign_answer(wiring.signing, judged, issuer=wiring.settings.locker_url)
    if not wants_page(request):
        return Response(_verified(judged, jws), media_type="application/json")
    return page(
        request,
        wiring,
        "locker/verification/result.html",
        citizen=await citizen_of(wiring.db, request.cookies.get(SESSION_COOKIE), wiring.sessions),
        path="/verify",
        it=view(judged.answer, locale(request)),
        jws=jws,
        report=report.decode(),
    )


@post("/verify/answer", operation_id="DownloadAnswer", status_code=200)
async def download_answer(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """What the result page carries, as a file: handed out only if we signed it."""
    form = await request.form()
    jws, report = form.get("jws"), form.get("report")
    if not isinstance(jws, str) or (report is not None and not isinstance(report, str)):
        raise AnswerRefused
    if len(jws) + len(report or "") > _HANDED_BACK_MAX_BYTES:
        raise AnswerRefused
    claims = check_answer(wiring.signing, jws, issuer=wiring.settings.locker_url)
    if report is None:
        return _file(jws.encode(), "verification.jwt", "application/jwt")
    # A form's text has CRLF for line ends.
    body = report.replace("\r\n", "\n").encode()
    check_report(claims, body)
    return _file(body, "verification-report.json", "application/json")


@post(
    "/v1/verifications",
    operation_id="Verify",
    operation_class=VerifyOperation,
    status_code=200,
    responses=problems(400, 408, 413, 429, 503),
    tags=["verification"],
    request_max_body_size=None,
)
async def verifications(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Verified:
    """Judge a PDF: its signature, and whether its issuer stands by it today. A negative verdict is a 200."""
    judged = await _judge(request, wiring)
    jws, _report = sign_answer(wiring.signing, judged, issuer=wiring.settings.locker_url)
    return _verified(judged, jws)


@get("/d/{uri:str}", operation_id="ResolveDocument", responses=problems(404, 429, 503), tags=["verification"])
async def resolve(uri: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[Any]:
    """What anybody may know of a document by its printed address: that it exists and who issued it."""
    limit = Limit("resolve", attempts=60, per_s=60)
    await wiring.throttle.count(wiring.db, limit, address_prefix(prober(request)))
    found = await _public(wiring, uri)
    if not wants_page(request):
        return Response(found, media_type="application/json")
    spoken = locale(request)
    return page(
        request,
        wiring,
        "locker/verification/document.html",
        name=name_in(found.type_names, spoken),
        issuer=name_in(found.administration_names, spoken),
        document=found,
    )


async def _public(wiring: Wiring, uri: str) -> PublicDocument:
    match = _URI.fullmatch(uri)
    if match is None:
        raise DocumentUriUnknown
    found = await store.public_document(wiring.db, document_id=match[1], uri=uri if "-" in uri else None)
    if found is None:
        raise DocumentUriUnknown
    return found


async def _judge(request: AnyRequest, wiring: Wiring) -> Judged:
    settings = wiring.settings
    limit = Limit("verify", attempts=settings.verifications_per_address_per_minute, per_s=60)
    await wiring.throttle.count(wiring.db, limit, address_prefix(prober(request)))
    length = request.headers.get("content-length", "")
    async with receive(
        _frames(request),
        content_type=request.headers.get("content-type", ""),
        content_length=int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None,
        limits=Limits(file_max_bytes=settings.verify_file_max_bytes, receive_max_s=settings.verify_receive_max_s),
    ) as received:
        return await verify(
            wiring.db,
            wiring.audit,
            wiring.judge,
            wiring.trust,
            received,
            verifier=Verifier(),
            file_max_bytes=settings.verify_file_max_bytes,
        )


async def _frames(request: AnyRequest) -> AsyncIterator[bytes]:
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise FileMissing
        if message["body"]:
            yield message["body"]
        if not message.get("more_body", False):
            return


async def _form(
    request: AnyRequest, wiring: Wiring, *, errors: dict[str, Message] | None = None, status: int = 200
) -> Response[str]:
    return page(
        request,
        wiring,
        "locker/verification/verify.html",
        citizen=await citizen_of(wiring.db, request.cookies.get(SESSION_COOKIE), wiring.sessions),
        status=status,
        errors=errors or {},
        size_max_mb=wiring.settings.verify_file_max_bytes // 1_000_000,
    )


def _verified(judged: Judged, jws: str) -> Verified:
    return Verified(answer=judged.answer, report=msgspec.to_builtins(judged.report), signed_answer=jws)


def _file(body: bytes, name: str, media_type: str) -> Response[bytes]:
    return Response(body, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


ROUTES = [verify_page, verify_form, download_answer, verifications, resolve]
