"""What a client proves itself with is good once: an assertion (RFC 7523 §3) and a DPoP proof (RFC 9449 §11.1)."""

from collections.abc import Collection, Sequence

from idp.clients import store
from idp.clients.authenticate import Assertion
from idp.refusals import InvalidClient, InvalidDpopProof
from kit.db import Tx
from kit.dpop import Proof

Once = Assertion | Proof


def once(*shown: Once | None) -> list[Once]:
    return [one for one in shown if one is not None]


async def spend(tx: Tx, *shown: Once | None) -> None:
    """For endpoints that write nothing else; where there is a write, the same statement spends these."""
    spending = once(*shown)
    if spending:
        refuse_repeated(spending, await store.spend(tx, spending))


def refuse_repeated(spending: Sequence[Once], fresh: Collection[bytes]) -> None:
    """``fresh`` are the digests that the statement could write."""
    for one in spending:
        if one.sha256 not in fresh:
            if isinstance(one, Assertion):
                raise InvalidClient("client_assertion: jti was used before")
            raise InvalidDpopProof("DPoP: jti was used before")
