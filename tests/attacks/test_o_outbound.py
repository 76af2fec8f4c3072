"""O-24, O-28, O-48: addresses that a client names never lead inwards. Ears on this machine count what arrives."""

import ipaddress
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from idp.outbound.addresses import is_public
from idp.outbound.fetch import Fetcher, FetchRefused, check_url
from tests.sites import Ear, authority_files, listening, running_site

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
