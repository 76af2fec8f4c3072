"""Which addresses may be named to us, and which hosts lead to them (OWASP: server-side request forgery)."""

import ipaddress
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from yarl import URL

Address = IPv4Address | IPv6Address

_URL_LENGTH_MAX = 2_048
# What any URL parser reads in the same way: ASCII without controls, space, quotes or backslash (RFC 3986 §2).
_URL = re.compile(r"https?://[!#-;=?-Z\[\]_a-z~]+", re.ASCII)
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.ASCII)
# A host that ends so is an IPv4 address to inet_aton and to browsers (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.ASCII)
_OUR_OWN_NAMES = re.compile(r"(.*\.)?(localhost|localdomain|local|internal|intranet|lan|home\.arpa)\.?", re.ASCII)

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's host, reachable from its guests alone
        "2001::/23",  # IETF protocol assignments, Teredo among them
        "2001:db8::/32",
        "3fff::/20",
    )
)


class FetchRefused(Exception):
    """``reason`` is a short English phrase that names no address: it may stand in an answer to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_public(address: Address) -> bool:
    """Globally reachable unicast; a tunnelled or translated IPv4 address counts as what it leads to.

    6to4 (2002::/16) is refused whole: nobody needs it, and its routers may be ours.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return False
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None or address not in _GLOBAL_UNICAST or address.scope_id is not None:
            return False
    if address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback:
        return False
    return address.is_global and not any(
        address.version == network.version and address in network for network in _REFUSED
    )


def check_addresses(addresses: Iterable[Address], *, secure: bool, loopback_allowed: bool) -> None:
    """Every one of them, because nobody knows which one a connection would take."""
    for address in addresses:
        if loopback_allowed and address.is_loopback:
            continue
        if not is_public(address):
            raise FetchRefused("the address is not a public one")
        if not secure:
            raise FetchRefused("the address needs https")


def check_url(url: str, *, loopback_allowed: bool) -> None:
    """Refuse what can be seen from the text: the scheme, user information, a literal or disguised internal address."""
    parts = parsed(url)
    literal = literal_of(parts)
    if literal is not None:
        check_addresses([literal], secure=parts.scheme == "https", loopback_allowed=loopback_allowed)
        return
    if parts.scheme != "https" and not loopback_allowed:
        raise FetchRefused("the address needs https")
    if _OUR_OWN_NAMES.fullmatch(_host(parts)) and not loopback_allowed:
        raise FetchRefused("the address is not a public one")


def parsed(url: str) -> URL:
    if len(url) > _URL_LENGTH_MAX or not _URL.fullmatch(url):
        raise FetchRefused("the address is not an absolute https URL")
    try:
        # Encoded as it is: one parser decides for the check and for the connection.
        parts = URL(url, encoded=True)
        port = parts.port
    except ValueError:
        raise FetchRefused("the address is not an absolute https URL") from None
    if parts.raw_user is not None or parts.raw_password is not None or "@" in parts.raw_authority:
        raise FetchRefused("the address names a user")
    if not parts.raw_host or not port:
        raise FetchRefused("the address is not an absolute https URL")
    return parts


def literal_of(parts: URL) -> Address | None:
    """The address itself where the host is one; FetchRefused for the disguises that only some parsers understand."""
    host = _host(parts)
    if ":" in host:
        try:
            return IPv6Address(host)
        except ValueError:
            raise FetchRefused("the address is not an absolute https URL") from None
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            return IPv4Address(host)
        except ValueError:
            raise FetchRefused("the address is not a public one") from None
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise FetchRefused("the address is not an absolute https URL")
    return None


def _host(parts: URL) -> str:
    return (parts.raw_host or "").lower()
