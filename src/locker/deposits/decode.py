import json
import math
import re
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from kit.strict_json import once
from locker.deposits.refusals import DepositInvalid
from locker.deposits.schema import DepositRequest

Wanted = TypeVar("Wanted", bound=DepositRequest)

_INTEGER_MAX = 2**53 - 1
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_ECHOES = re.compile(
    r"(Object contains unknown field|Invalid enum value) .*?( - at `\$\.(?:subjects?(?:\[\.{3}\])?|correction)`)?",
    re.DOTALL,
)


def decode(part: bytes, wanted: type[Wanted]) -> Wanted:
    """What a depositor says of a document, strictly: I-JSON (RFC 7493 §2), so that everybody reads the same in it; no
    unknown member.

    DepositInvalid names the place.
    """
    try:
        value = json.loads(part.decode("utf-8"), object_pairs_hook=once, parse_constant=_refuse)
        _read_by_all(value)
        request = msgspec.convert(value, wanted)
    except msgspec.ValidationError as fault:
        raise DepositInvalid(_said(fault)) from None
    except RecursionError:
        raise DepositInvalid("nested too deeply") from None
    except ValueError:
        raise DepositInvalid(
            "this is not JSON in UTF-8 with each member once, or says what not everybody reads"
        ) from None
    if (request.subject is UNSET) == (request.subjects is UNSET):
        raise DepositInvalid("either subject or subjects")
    if any((one.uid is UNSET) == (one.sub is UNSET) for one in request.owners):
        raise DepositInvalid("subject: either uid or sub")
    if request.correction is not UNSET and not request.is_new_version:
        raise DepositInvalid("correction: it needs replaces")
    if (
        request.valid_from is not UNSET
        and request.valid_until is not UNSET
        and request.valid_until < request.valid_from
    ):
        raise DepositInvalid("valid_until is before valid_from")
    return request


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _read_by_all(value: Any) -> None:
    """ValueError where one reader takes it for something else than another, or PostgreSQL for nothing: lone surrogates,
    NUL, numbers that are no double (``1e999``), integers beyond 2^53."""
    level = [value]
    while level:
        for one in level:
            if isinstance(one, str):
                wrong = _NO_TEXT.search(one) is not None
            elif isinstance(one, float):
                wrong = not math.isfinite(one)
            else:
                wrong = isinstance(one, int) and abs(one) > _INTEGER_MAX
            if wrong:
                raise ValueError("not I-JSON")
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in ((*one.keys(), *one.values()) if isinstance(one, dict) else one)
        ]


def _said(fault: msgspec.ValidationError) -> str:
    """Without what the caller wrote: it may be somebody's, and a batch keeps it for days."""
    echoes = _ECHOES.fullmatch(str(fault))
    return f"{echoes[1]}{echoes[2] or ''}" if echoes else str(fault)
