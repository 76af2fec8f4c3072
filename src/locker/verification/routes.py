import datetime as dt
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import Parameter

from kit import strict_json
from kit.edge import address_prefix, wants_page
from kit.form import form_of
from kit.i18n import Message
from kit.throttle import Limit
from locker.access.sessions import SESSION_COOKIE
from locker.home.frame import AnyRequest, headers_of, locale, page, prober
from locker.problem import problems
from locker.reports.schema import DetailedReport, SimpleReport
from locker.signatures.schema import Verdict
from locker.verification.desk import VerificationDesk
from locker.verification.openapi import VerifyOperation
from locker.verification.read_at import read_at
from locker.verification.receive import Limits, receive
from locker.verification.refusals import (
    AnswerRefused,
    AtInFuture,
    AtUnreadable,
    FileMissing,
    FileTooLarge,
)
from locker.verification.render_report import render_report, report_kind
from locker.verification.schema import Answer, Judged, Verified
from locker.verification.sign_answer import check_answer, check_report, sign_answer
from locker.verification.verify import Verifier, verify
from locker.verification.views import view

_HANDED_BACK_MAX_BYTES = 500_000


@get("/verify", operation_id="ShowVerify")
async def verify_page(request: AnyRequest, desk: NamedDependency[VerificationDesk]) -> Response[str]:
    return await _form(request, desk)


@post("/verify", operation_id="VerifyFile", status_code=200, request_max_body_size=None)
async def verify_form(request: AnyRequest, desk: NamedDependency[VerificationDesk]) -> Response[Any]:
    """The result is this answer's own page: nothing is kept, so there is nothing to go on to."""
    desk.csrf.check_source(headers_of(request))
    try:
        judged = await _judge(request, desk, at=None)
    except (FileMissing, FileTooLarge, AtUnreadable, AtInFuture) as refusal:
        if not wants_page(request):
            raise
        field = "at" if isinstance(refusal, AtUnreadable | AtInFuture) else "document"
        return await _form(request, desk, errors={field: Message(refusal.title)}, status=refusal.status)
    jws, report = sign_answer(desk.signing, judged, issuer=desk.url)
    if not wants_page(request):
        return Response(_verified(judged, jws), media_type="application/json")
    return page(
        request,
        desk,
        "locker/verification/result.html",
        citizen=await desk.register.citizen(request.cookies.get(SESSION_COOKIE)),
        path="/verify",
        it=view(judged.answer, locale(request)),
        jws=jws,
        report=report.decode(),
    )


@post("/verify/answer", operation_id="DownloadAnswer", status_code=200)
async def download_answer(request: AnyRequest, desk: NamedDependency[VerificationDesk]) -> Response[bytes]:
    """What the result page carries, as a file or as a report of a kind: handed out only if we signed it."""
    form = await form_of(request)
    jws, report, kind = form.get("jws"), form.get("report"), form.get("kind")
    if not isinstance(jws, str) or any(part is not None and not isinstance(part, str) for part in (report, kind)):
        raise AnswerRefused
    if len(jws) + len(report or "") > _HANDED_BACK_MAX_BYTES:
        raise AnswerRefused
    claims = await check_answer(desk.signing, jws, issuer=desk.url)
    if report is None:
        return _file(jws.encode(), "verification.jwt", "application/jwt")
    # A form's text has CRLF for line ends.
    body = report.replace("\r\n", "\n").encode()
    check_report(claims, body)
    wanted = report_kind(kind, "")
    if wanted is None:
        return _file(body, "verification-report.json", "application/json")
    await desk.register.count(Limit("report", desk.per_address_per_minute * 4, 60), address_prefix(prober(request)))
    try:
        answer = msgspec.convert(claims["verification"], Answer)
        verdict = strict_json.decode(body, Verdict)
    except (msgspec.DecodeError, KeyError):
        # One that an earlier version signed.
        raise AnswerRefused from None
    rendered = await render_report(desk, wanted, answer, verdict)
    return _file(rendered.body, rendered.file_name, rendered.media_type)


@get("/verify/seal.crt", operation_id="ReportSeal", tags=["verification"])
async def report_seal(desk: NamedDependency[VerificationDesk]) -> Response[bytes]:
    """The certificates behind the seal on our certificates of verification, as PEM."""
    return _file(desk.seal.pem.encode(), "seal.crt", "application/x-pem-file")


@post(
    "/v1/verifications",
    operation_id="Verify",
    operation_class=VerifyOperation,
    status_code=200,
    responses=problems(400, 408, 413, 422, 429, 503),
    tags=["verification"],
    request_max_body_size=None,
)
async def verifications(
    request: AnyRequest,
    desk: NamedDependency[VerificationDesk],
    report: Annotated[
        str | None,
        Parameter(
            description="Instead of the answer: simple or detailed (JSON), etsi (TS 119 102-2 XML) or pdf (sealed)."
            " Accept: application/xml or application/pdf asks for the last two."
        ),
    ] = None,
    at: Annotated[
        str | None,
        Parameter(description="Was it valid then? A date-time of RFC 3339, or a date; never in the future."),
    ] = None,
) -> Response[Verified | SimpleReport | DetailedReport]:
    """Judge a file: its signature, and whether its issuer stands by it today. A negative verdict is a 200.

    A PDF, an ASiC container, a signed XML document, a CMS or JWS that holds its data; or any document with a signature
    beside it.
    """
    kind = report_kind(report, request.headers.get("accept", ""))
    judged = await _judge(request, desk, at=read_at(at, now=desk.clock()))
    if kind is None:
        jws, _report = sign_answer(desk.signing, judged, issuer=desk.url)
        return Response(_verified(judged, jws))
    assert isinstance(judged.report, Verdict)
    rendered = await render_report(desk, kind, judged.answer, judged.report)
    answered: Response[Any] = Response(rendered.body, media_type=rendered.media_type)
    return answered


async def _judge(request: AnyRequest, desk: VerificationDesk, *, at: dt.datetime | None) -> Judged:
    """``at`` may also be a field of the form."""
    # First: a refusal must cost nothing, because whoever gets one at once asks again at once.
    desk.places.look()
    limit = Limit("verify", attempts=desk.per_address_per_minute, per_s=60)
    await desk.register.count(limit, address_prefix(prober(request)))
    length = request.headers.get("content-length", "")
    async with receive(
        _frames(request),
        content_type=request.headers.get("content-type", ""),
        content_length=int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None,
        limits=Limits(file_max_bytes=desk.file_max_bytes, receive_max_s=desk.receive_max_s, folder=desk.folder),
    ) as received:
        moment = at or read_at(received.at, now=desk.clock())
        async with desk.places.place():
            return await verify(desk, received, verifier=Verifier(), at=moment)


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
    request: AnyRequest, desk: VerificationDesk, *, errors: dict[str, Message] | None = None, status: int = 200
) -> Response[str]:
    return page(
        request,
        desk,
        "locker/verification/verify.html",
        citizen=await desk.register.citizen(request.cookies.get(SESSION_COOKIE)),
        status=status,
        errors=errors or {},
        size_max_mb=desk.file_max_bytes // 1_000_000,
        today=desk.clock().date().isoformat(),
    )


def _verified(judged: Judged, jws: str) -> Verified:
    return Verified(answer=judged.answer, report=msgspec.to_builtins(judged.report), signed_answer=jws)


def _file(body: bytes, name: str, media_type: str) -> Response[bytes]:
    return Response(body, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


OF_FILES: list[Any] = [verify_page, verify_form, download_answer, report_seal, verifications]
"""What needs no database."""

ROUTES: list[Any] = OF_FILES
