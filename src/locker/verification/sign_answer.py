"""The answer, signed by the locker, for somebody's file."""

import hashlib
import time
from typing import Any

import msgspec

from kit.ids import new_id
from kit.jose import TokenRefused
from locker.signing.ring import SigningKeys
from locker.verification.refusals import AnswerKeyDistrusted, AnswerRefused
from locker.verification.schema import Judged

TYP = "khizana-verification+jwt"


def sign_answer(keys: SigningKeys, judged: Judged, *, issuer: str) -> tuple[str, bytes]:
    """A compact JWS and the report that it names by its digest. It says what was so at ``iat``, for ever."""
    report = msgspec.json.format(msgspec.json.encode(judged.report), indent=2)
    claims = {
        "iss": issuer,
        "iat": int(time.time()),
        "jti": str(new_id()),
        "verification": msgspec.to_builtins(judged.answer),
        "report_sha256": hashlib.sha256(report).hexdigest(),
    }
    return keys.sign(claims, typ=TYP), report


async def check_answer(keys: SigningKeys, jws: str, *, issuer: str) -> dict[str, Any]:
    """Claims of an answer that we signed.

    Raises AnswerRefused; AnswerKeyDistrusted, because no log has answers: nothing says whether it was made before the
    key was stolen.
    """
    try:
        verified = await keys.verified(jws, typ=TYP, issuer=issuer)
    except TokenRefused:
        raise AnswerRefused from None
    if verified.distrusted_from is not None:
        raise AnswerKeyDistrusted
    return verified.claims


def check_report(claims: dict[str, Any], report: bytes) -> None:
    if claims.get("report_sha256") != hashlib.sha256(report).hexdigest():
        raise AnswerRefused
