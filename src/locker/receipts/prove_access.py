"""The place of an access in the log, for whoever holds one of its receipts."""

import time
from uuid import UUID

from kit.db import Tx
from kit.jose import TokenRefused
from locker.log.prove import prove_leaf
from locker.receipts.refusals import ReceiptKeyDistrusted, ReceiptRefused
from locker.receipts.schema import AccessProof
from locker.receipts.sign_access import TYP, access_claims
from locker.shares.schema import Opening
from locker.shares.store import logged_opening, owner_of_opening
from locker.signing.ring import SigningKeys, Verified

PROOF_TYP = "khizana-access-proof+jwt"
_CLOCKS_APART_S = 3_600
"""The receipt's time is the database's; it never ends, so a node that is behind loses nothing by believing it."""


async def prove_access(tx: Tx, keys: SigningKeys, receipt: str, *, locker_url: str) -> AccessProof:
    """Raises ReceiptRefused for what is no receipt of ours, ReceiptKeyDistrusted where only a key that is not believed
    says so; LineUnknown, NotLoggedYet."""
    try:
        shown = await keys.verified(receipt, typ=TYP, issuer=locker_url, leeway_s=_CLOCKS_APART_S)
        audit_id = UUID(str(shown.claims["jti"]))
    except (TokenRefused, ValueError):
        raise ReceiptRefused from None
    opening_id, again = str(shown.claims.get("opening")), None
    if shown.distrusted_from is not None:
        opening = await logged_opening(tx, opening_id=opening_id, audit_id=audit_id)
        again = _signed_again(keys, shown, opening, distrusted_from=shown.distrusted_from, locker_url=locker_url)
    owner = await owner_of_opening(tx, opening_id=opening_id, audit_id=audit_id)
    if owner is None:
        raise ReceiptRefused
    leaf = await prove_leaf(tx, owner=owner, audit_id=str(audit_id))
    said = {
        "iss": locker_url,
        "iat": int(time.time()),
        "jti": str(audit_id),
        "leaf_index": leaf.leaf_index,
        "commitment": leaf.commitment,
    }
    return AccessProof(
        audit_id=str(audit_id),
        leaf_index=leaf.leaf_index,
        commitment=leaf.commitment,
        proof=leaf.proof,
        signed=keys.sign(said, typ=PROOF_TYP),
        distrusted_from=shown.distrusted_from,
        receipt=again,
    )


def _signed_again(
    keys: SigningKeys, shown: Verified, opening: Opening | None, *, distrusted_from: int, locker_url: str
) -> str:
    """Whoever has the key can have made this receipt, with any date. So nothing of it is believed but what the database
    says word for word, of an opening that the log has from before."""
    holder = shown.claims.get("for")
    if opening is None or holder not in ("opener", "citizen") or opening.opened_at.timestamp() >= distrusted_from:
        raise ReceiptKeyDistrusted
    claims = access_claims(opening, locker_url=locker_url, holder=holder)
    if claims != shown.claims:
        raise ReceiptKeyDistrusted
    return keys.sign(claims, typ=TYP)
