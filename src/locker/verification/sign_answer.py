"""The answer, signed by the locker, for somebody's file."""

import hashlib
import time
from typing import Any

import msgspec

from kit.ids import new_id
from kit.jose import LocalKeySet, TokenRefused, verify
from locker.verification.refusals import AnswerRefused
from locker.verification.schema import Judged

TYP = "khizana-verification+jwt"


def sign_answer(keys: LocalKeySet, judged: Judged, *, issuer: str) -> tuple[str, bytes]:
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


def check_answer(keys: LocalKeySet, jws: str, *, issuer: str) -> dict[str, Any]:
    """Claims of an answer that we signed. Raises AnswerRefused."""
    try:
        return verify(jws, keys.public, algorithms=("ES256",), typ=(TYP,), issuer=issuer, require=("iss", "iat", "jti"))
    except TokenRefused:
        raise AnswerRefused from None


def check_report(claims: dict[str, Any], report: bytes) -> None:
    if claims.get("report_sha256") != hashlib.sha256(report).hexdigest():
        raise AnswerRefused
