import re
from collections.abc import Iterable

from kit.outbound.addresses import FetchRefused, check_url, parsed
from locker.references.refusals import AddressUnfit

# As it is signed, so it is sent: one spelling, host in small letters, no default port, no fragment, a path.
_ADDRESS = re.compile(r"https://([a-z0-9.-]+)(?::([1-9][0-9]{0,4}))?/[!-\"$-~]*", re.ASCII)


def check_address(url: str, domains: Iterable[str], *, loopback_allowed: bool) -> None:
    """AddressUnfit unless its host is one of ``domains`` or below one. Where it leads is checked at each fetch."""
    found = _ADDRESS.fullmatch(url)
    if found is None or found[2] == "443":
        raise AddressUnfit
    try:
        check_url(url, loopback_allowed=loopback_allowed)
    except FetchRefused as refused:
        raise AddressUnfit(refused.reason) from None
    if str(parsed(url)) != url:
        # A bare question mark is signed and not sent.
        raise AddressUnfit
    if not any(found[1] == domain or found[1].endswith(f".{domain}") for domain in domains):
        raise AddressUnfit
