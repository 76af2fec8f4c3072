"""The policies that exist. Their version changes when a verdict could."""

from typing import Literal

import msgspec

from locker.signatures.schema import ActiveContent, Policy

VERIFY = Policy(name="khizana-verify", version="2026.2")
"""For anyone's document at the public verification: each signature is judged, no level is asked for."""

DEPOSIT = Policy(
    name="khizana-deposit",
    version="2026.2",
    minimum_level="T",
    permitted_active_content=frozenset(),
    registered_seal=True,
    rsa_bits_min=2048,
)
"""For a document that an administration deposits: every seal registered, TOTAL-PASSED, B-T or better."""

ARCHIVE = Policy(name="khizana-archive", version="2026.1", minimum_level="LTA", revisions_max=256, signatures_max=64)
"""For an archived copy: it was deposited by DEPOSIT, and must stand by what it brings along. Each renewal adds two
revisions and a time stamp."""


def deposit_policy(
    *, minimum_level: Literal["B", "T", "LT", "LTA"] = "T", active_content: frozenset[ActiveContent] = frozenset()
) -> Policy:
    """DEPOSIT as a document type softens it: B-B seals, or embedded files."""
    return msgspec.structs.replace(DEPOSIT, minimum_level=minimum_level, permitted_active_content=active_content)
