import json
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from locker.deposits.refusals import DepositInvalid
from locker.deposits.schema import DepositRequest

Wanted = TypeVar("Wanted", bound=DepositRequest)


def decode(part: bytes, wanted: type[Wanted]) -> Wanted:
    """What a depositor says of a document, strictly: in UTF-8, no member twice, no unknown member.

    DepositInvalid names the place.
    """
    try:
        value = json.loads(part.decode("utf-8"), object_pairs_hook=_no_member_twice, parse_constant=_refuse)
        request = msgspec.convert(value, wanted)
    except msgspec.ValidationError as fault:
        raise DepositInvalid(str(fault)) from None
    except RecursionError:
        raise DepositInvalid("nested too deeply") from None
    except ValueError:
        raise DepositInvalid("this is not JSON in UTF-8 with each member once") from None
    if (request.subject is UNSET) == (request.subjects is UNSET):
        raise DepositInvalid("either subject or subjects")
    if any((one.uid is UNSET) == (one.sub is UNSET) for one in request.owners):
        raise DepositInvalid("subject: either uid or sub")
    if request.correction is not UNSET and request.replaces is UNSET:
        raise DepositInvalid("correction: it needs replaces")
    if (
        request.valid_from is not UNSET
        and request.valid_until is not UNSET
        and request.valid_until < request.valid_from
    ):
        raise DepositInvalid("valid_until is before valid_from")
    return request


def _no_member_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # The last of two equal members would win here and the first elsewhere.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse(constant: str) -> None:
    raise ValueError(constant)
