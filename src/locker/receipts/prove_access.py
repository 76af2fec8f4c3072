"""The place of an access in the log, for whoever holds one of its receipts."""

import time
from uuid import UUID

from kit.db import Tx
from kit.jose import LocalKeySet, TokenRefused, verify
from locker.log.prove import prove_leaf
from locker.receipts.refusals import ReceiptRefused
from locker.receipts.schema import AccessProof
from locker.receipts.sign_access import TYP
from locker.shares.store import owner_of_opening

PROOF_TYP = "khizana-access-proof+jwt"
_CLOCKS_APART_S = 3_600
"""The receipt's time is the database's; it never ends, so a node that is behind loses nothing by believing it."""


async def prove_access(tx: Tx, keys: LocalKeySet, receipt: str, *, locker_url: str) -> AccessProof:
    """Raises ReceiptRefused for what is no receipt of ours; LineUnknown, NotLoggedYet."""
    try:
        claims = verify(
            receipt,
            keys.public,
            algorithms=("ES256",),
            typ=(TYP,),
            issuer=locker_url,
            require=("iss", "iat", "jti"),
            leeway_s=_CLOCKS_APART_S,
        )
        audit_id = UUID(str(claims["jti"]))
    except (TokenRefused, ValueError):
        raise ReceiptRefused from None
    owner = await owner_of_opening(tx, opening_id=str(claims.get("opening")), audit_id=audit_id)
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
    )
