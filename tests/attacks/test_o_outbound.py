"""O-24, O-28, O-48: addresses that a client names never lead inwards. Ears on this machine count what arrives."""

import base64
import ipaddress
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from idp.refusals import InvalidClientMetadata
from kit.outbound.addresses import is_public
from kit.outbound.fetch import Fetcher, FetchRefused, check_url
from tests.conftest import Dsns
from tests.provider import Provider, running_provider
from tests.sites import Ear, Site, authority_files, listening, running_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTERNAL = (
    "https://127.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://127.0.0.1.:{port}/",
    "https://0x7f.1:{port}/",
    "https://0x7f000001:{port}/",
    "https://2130706433:{port}/",
    "https://017700000001:{port}/",
    "https://0:{port}/",
    "https://[::1]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/",
    "https://[64:ff9b::7f00:1]:{port}/",
    "https://[2002:7f00:1::]:{port}/",
    "https://[::127.0.0.1]:{port}/",
    "https://[fe80::1%25lo]:{port}/",
    "https://localhost:{port}/",
    "https://LOCALHOST:{port}/",
    "https://a.localhost.:{port}/",
    "https://10.0.0.1:{port}/",
    "https://172.16.0.1:{port}/",
    "https://192.168.1.1:{port}/",
    "https://100.64.0.1:{port}/",
    "https://169.254.169.254:{port}/",
    "https://224.0.0.1:{port}/",
    "https://240.0.0.1:{port}/",
    "https://255.255.255.255:{port}/",
    "https://[fd00:ec2::254]:{port}/",
    "https://[ff02::1]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://rp.test/",
    "file:///etc/passwd",
    "ftp://rp.test/",
    "gopher://127.0.0.1:{port}/_x",
    "data:text/plain,x",
    "//127.0.0.1:{port}/",
    "https:/127.0.0.1:{port}/",
    "https://rp.test@127.0.0.1:{port}/",
    "https://user:secret@rp.test/",
    "https://@rp.test/",
    "https://127.0.0.1:{port}\\@rp.test/",
    "https://rp.test\t/",
    "https://rp.test\r\nHost: x/",
    "https:// 127.0.0.1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://rp.test:99999/",
    "https://rp.test:0/",
    "https://",
    "",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ear() -> AsyncIterator[Ear]:
    async with listening() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fetcher() -> AsyncIterator[Fetcher]:
    found = Fetcher(ca_file=authority_files()[0], loopback_allowed=False)
    yield found
    found.close()


@pytest.mark.parametrize("address", INTERNAL)
async def test_o_24_o_28_an_internal_or_disguised_address_gets_no_packet(
    fetcher: Fetcher, ear: Ear, address: str
) -> None:
    url = address.format(port=ear.port)
    with pytest.raises(FetchRefused):
        check_url(url, loopback_allowed=False)
    with pytest.raises(FetchRefused):
        await fetcher.get(url, accept="*/*")
    with pytest.raises(FetchRefused):
        await fetcher.post(url, body=b"x", content_type="text/plain")
    assert ear.connections == 0


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["93.184.215.14", "127.0.0.1"],
        ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "10.0.0.1"],
        ["169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
    ],
)
async def test_o_28_a_name_that_leads_inwards_is_refused_whatever_else_it_leads_to(
    ear: Ear, answers: list[str]
) -> None:
    """localtest.me and its like: public names of internal addresses."""
    fetcher = Fetcher(ca_file=None, loopback_allowed=False, resolve=lambda host, port: answers)
    url = f"https://localtest.me:{ear.port}/"
    with pytest.raises(FetchRefused, match="not a public one"):
        await fetcher.check(url)
    with pytest.raises(FetchRefused, match="not a public one"):
        await fetcher.get(url, accept="*/*")
    fetcher.close()
    assert ear.connections == 0


async def test_o_28_a_name_that_changes_its_mind_after_the_check_is_not_asked_again() -> None:
    """DNS rebinding: the connection goes to the address that was checked."""
    answers = iter((["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]))
    async with running_site() as site, listening("127.0.0.2") as other:
        fetcher = Fetcher(ca_file=authority_files()[0], loopback_allowed=True, resolve=lambda host, port: next(answers))
        site.serve("/", b"{}")
        assert (await fetcher.get(site.url("/", host="a.site.test"), accept="*/*")).status == 200
        assert next(answers) == ["127.0.0.2"]
        assert other.connections == 0
        fetcher.close()


async def test_o_28_plain_http_is_for_loopback_alone_even_in_tests() -> None:
    fetcher = Fetcher(ca_file=None, loopback_allowed=True, resolve=lambda host, port: ["93.184.215.14"])
    with pytest.raises(FetchRefused, match="https"):
        await fetcher.get("http://rp.test/", accept="*/*")
    fetcher.close()
    async with running_site(tls=False) as site:
        near = Fetcher(ca_file=None, loopback_allowed=True)
        assert (await near.get(site.serve("/", b"{}"), accept="*/*")).status == 200
        near.close()


async def test_o_28_a_name_that_does_not_resolve_is_no_fault(fetcher: Fetcher) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    nobody = Fetcher(ca_file=None, loopback_allowed=False, resolve=resolve)
    await nobody.check("https://rp.test/")
    with pytest.raises(FetchRefused, match="cannot be reached"):
        await nobody.get("https://rp.test/", accept="*/*")
    nobody.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::1", False),
        ("::ffff:93.184.215.14", False),
        ("2002:5db8:d70e::", False),
        ("2001:0:5db8:d70e::", False),
        ("192.0.0.8", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("198.51.100.1", False),
        ("203.0.113.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("fec0::1", False),
        ("2001:db8::1", False),
        ("224.0.1.1", False),
    ],
)
async def test_o_28_only_globally_reachable_unicast_is_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def near(dsns: Dsns) -> AsyncIterator[Provider]:
    """A provider that may fetch from this machine, to meet real documents."""
    async with running_provider(
        dsns.idp, dsns.owner, outbound_loopback=True, outbound_ca_file=authority_files()[0]
    ) as provider:
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    async with running_site() as found:
        yield found


_MEMBERS = (
    {"jwks_uri": "{}"},
    {"sector_identifier_uri": "{}"},
    {"request_uris": ["{}"]},
    {"backchannel_logout_uri": "{}"},
    {"logo_uri": "{}"},
    {
        "backchannel_client_notification_endpoint": "{}",
        "backchannel_token_delivery_mode": "ping",
    },
)


@pytest.mark.parametrize("member", _MEMBERS, ids=lambda member: next(iter(member)))
@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://0x7f.1/x",
        "https://2130706433/x",
        "https://localhost/x",
        "https://169.254.169.254/x",
        "http://rp.test/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
    ],
)
async def test_o_28_internal_addresses_are_refused_at_registration(
    idp: Provider, member: dict[str, Any], uri: str
) -> None:
    named = json.loads(json.dumps(member).replace("{}", uri))
    with pytest.raises(InvalidClientMetadata, match=next(iter(member))):
        await idp.client(**named)


async def test_o_28_a_name_that_leads_inwards_is_refused_at_registration(
    idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idp.wiring.fetcher, "_resolve_blocking", lambda host, port: ["127.0.0.1"])
    with pytest.raises(InvalidClientMetadata, match="jwks_uri: the address is not a public one"):
        await idp.client(jwks_uri="https://localtest.me/jwks")


@pytest.mark.parametrize(
    "document",
    [
        '["https://other.test/callback"]',
        "[]",
        '{"redirect_uris": ["https://rp.test/callback"]}',
        '["https://rp.test/callback/"]',
        "not json",
        '[["https://rp.test/callback"]]',
    ],
)
async def test_o_30_a_sector_document_without_the_redirect_uri(near: Provider, site: Site, document: str) -> None:
    with pytest.raises(InvalidClientMetadata, match="sector_identifier_uri"):
        await near.client(sector_identifier_uri=site.serve("/sector.json", document))


async def test_o_30_a_sector_document_that_is_not_there_or_elsewhere(near: Provider, site: Site) -> None:
    there = site.serve("/real.json", '["https://rp.test/callback"]')
    for uri in (site.url("/nothing"), site.refuse("/moved", 302, Location=there)):
        with pytest.raises(InvalidClientMetadata, match="sector_identifier_uri"):
            await near.client(sector_identifier_uri=uri)
    await near.client(sector_identifier_uri=there)


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_o_31_a_logo_is_shown_from_our_own_origin_and_fetched_once(near: Provider, site: Site) -> None:
    party = await near.client(logo_uri=site.serve("/logo.png", PNG, "image/png"))
    browser = await near.signed_in(await near.citizen())
    asked = await browser.get("/idp/authorize", params=party.request())
    page = await browser.get(asked.headers["location"])
    assert f'src="/idp/logos/{party.client_id}"' in page.text
    assert str(site.port) not in page.text
    assert "img-src 'self'" in page.headers["content-security-policy"]
    logo = await browser.get(f"/idp/logos/{party.client_id}")
    assert (logo.content, logo.headers["content-type"]) == (PNG, "image/png")
    assert logo.headers["x-content-type-options"] == "nosniff"
    calls = [site.requests.get_nowait() for _ in range(site.requests.qsize())]
    assert [call.path for call in calls if call.path == "/logo.png"] == ["/logo.png"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "image/svg+xml"),
        (b"<html><script>alert(1)</script></html>", "image/png"),
        (PNG + b"\x00" * 131_072, "image/png"),
        (b"", "image/png"),
    ],
    ids=["svg", "html", "too-large", "empty"],
)
async def test_o_31_what_is_no_picture_is_left_out(near: Provider, site: Site, body: bytes, content_type: str) -> None:
    party = await near.client(logo_uri=site.serve("/bad", body, content_type))
    browser = await near.signed_in(await near.citizen())
    asked = await browser.get("/idp/authorize", params=party.request())
    page = await browser.get(asked.headers["location"])
    assert "client-logo" not in page.text
    assert (await browser.get(f"/idp/logos/{party.client_id}")).status_code == 404


async def test_o_48_a_logout_address_that_leads_inwards_later_gets_no_packet(idp: Provider, ear: Ear) -> None:
    """Registered when its name led outwards, or nowhere; told when it leads to this very machine."""
    party = await idp.client(backchannel_logout_uri=f"https://rp.test:{ear.port}/out")
    idp.wiring.logout_delivery._fetcher._resolve_blocking = lambda host, port: ["127.0.0.1"]
    browser = await idp.signed_in(await idp.citizen())
    tokens = await idp.tokens(browser, party)
    answer = await browser.get("/idp/end-session", params={"id_token_hint": tokens["id_token"]})
    assert answer.status_code == 303
    await idp.wiring.logout_delivery.idle()
    rows = await idp.owner("SELECT tries, settled_at FROM idp.logout_notice WHERE client_id = $1", party.client_id)
    assert [tuple(row) for row in rows] == [(1, None)]
    assert ear.connections == 0
