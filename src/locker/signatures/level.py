"""The level of a signature (ETSI EN 319 142-1 §6, ISO 32000 for PKCS #7), from what is there and intact."""

from locker.signatures.schema import Level

_RANK = {"B": 0, "T": 1, "LT": 2, "LTA": 3}


def level_of(
    *,
    subfilter: str,
    brings_certificate: bool,
    names_certificate: bool,
    has_signing_time: bool,
    detached: bool,
    time_stamped: bool,
    archive_stamped: bool,
    has_revocation_data: bool,
) -> Level:
    """``time_stamped``: a signature time stamp or a document time stamp over it; ``archive_stamped``: one over the
    validation data too."""
    if not detached:
        return "NOT-ETSI"
    step = "B"
    if time_stamped:
        step = "T"
        if has_revocation_data:
            step = "LTA" if archive_stamped else "LT"
    if subfilter == "/ETSI.CAdES.detached":
        if not names_certificate:
            return "NOT-ETSI"
        if not (has_signing_time and brings_certificate):
            return "PAdES-BES"
        levels: dict[str, Level] = {
            "B": "PAdES-BASELINE-B",
            "T": "PAdES-BASELINE-T",
            "LT": "PAdES-BASELINE-LT",
            "LTA": "PAdES-BASELINE-LTA",
        }
        return levels[step]
    pkcs7: dict[str, Level] = {"B": "PKCS7-B", "T": "PKCS7-T", "LT": "PKCS7-LT", "LTA": "PKCS7-LTA"}
    return pkcs7[step]


def reaches(level: Level, minimum: str) -> bool:
    """Only baseline signatures reach a level: PKCS #7 does not bind the signer's certificate."""
    prefix, _, step = level.rpartition("-")
    return prefix.endswith("-BASELINE") and _RANK[step] >= _RANK[minimum]
