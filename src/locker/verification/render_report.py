"""A verdict in the form that somebody asks for."""

from typing import Literal, get_args

import msgspec

from locker.reports.draw_certificate import Certificate, draw_certificate
from locker.reports.make_detailed import make_detailed
from locker.reports.make_simple import make_simple
from locker.reports.write_etsi import write_etsi
from locker.signatures.schema import Verdict
from locker.verification.desk import VerificationDesk
from locker.verification.refusals import ReportUnknown
from locker.verification.schema import Answer

ReportKind = Literal["simple", "detailed", "etsi", "pdf"]


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    body: bytes
    media_type: str
    file_name: str


def report_kind(asked: str | None, accept: str) -> ReportKind | None:
    """By name, else by the media type that is accepted before any other; None is the plain answer.

    Raises ReportUnknown for a name that is none.
    """
    if asked is None:
        first = accept.split(",")[0].split(";")[0].strip().lower()
        return {"application/xml": "etsi", "text/xml": "etsi", "application/pdf": "pdf"}.get(first)  # type: ignore[return-value]
    if asked not in get_args(ReportKind):
        raise ReportUnknown
    return asked  # type: ignore[return-value]


async def render_report(desk: VerificationDesk, kind: ReportKind, answer: Answer, verdict: Verdict) -> Rendered:
    """The PDF is sealed. Raises Unavailable where too many wait for one."""
    match kind:
        case "simple":
            simple = make_simple(answer, verdict, desk.pages.translator)
            return _json(msgspec.json.encode(simple), "verification-simple.json")
        case "detailed":
            detailed = make_detailed(answer, verdict, desk.pages.translator)
            return _json(msgspec.json.encode(detailed), "verification-detailed.json")
        case "etsi":
            return Rendered(
                body=write_etsi(verdict), media_type="application/xml", file_name="verification-ts119102-2.xml"
            )
        case "pdf":
            body = await desk.paper.run(_certificate, desk, answer, verdict)
            return Rendered(body=body, media_type="application/pdf", file_name="verification.pdf")


def _json(body: bytes, file_name: str) -> Rendered:
    return Rendered(body=msgspec.json.format(body, indent=2), media_type="application/json", file_name=file_name)


def _certificate(desk: VerificationDesk, answer: Answer, verdict: Verdict) -> bytes:
    certificate = Certificate(verify_url=desk.url, seal_sha256=desk.seal.certificate_sha256)
    page = draw_certificate(answer, verdict, desk.pages.translator, certificate)
    return desk.seal.seal(page, at=answer.checked_at)
