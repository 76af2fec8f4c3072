from locker.signatures.schema import SubIndication

_MAY_PASS: frozenset[SubIndication] = frozenset(
    {
        "TRY_LATER",
        "GENERIC",
        "NOT_YET_VALID",
        "NO_CERTIFICATE_CHAIN_FOUND",
        "NO_CERTIFICATE_CHAIN_FOUND_NO_POE",
        "CERTIFICATE_CHAIN_GENERAL_FAILURE",
        "CHAIN_CONSTRAINTS_FAILURE",
    }
)


def may_pass(sub_indication: SubIndication | None) -> bool:
    """Does this depend on what is known or trusted today? An anchor that was withdrawn comes back with the next list.

    What has expired, what was revoked and bytes that are wrong stay so (EN 319 102-1 §5.1.3).
    """
    return sub_indication in _MAY_PASS
