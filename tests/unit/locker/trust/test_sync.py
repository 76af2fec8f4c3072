"""Trust lists are fetched, verified, kept and replaced: forward only, from the right signer, and never silently old."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from kit.audit import Audit
from kit.db import Database
from kit.outbound.fetch import Fetcher
from kit.workers import WorkerPool
from locker.trust import list_store
from locker.trust.follow import follow, unfollow
from locker.trust.list_schema import ListShown, Synced
from locker.trust.read_list import list_workers
from locker.trust.refusals import ListUnknown, SourceUnfit
from locker.trust.register import TrustRegister
from locker.trust.show_lists import count_lists, show_services
from locker.trust.sync import ListReaders, sync
from tests.conftest import Dsns
from tests.sites import Site, authority_files, running_site
from tests.unit.locker.signatures.signature_pki import Holder, pki
from tests.unit.locker.trust.trust_list_maker import LIST_OF_LISTS, Pointing, Service, operator, trust_list

pytestmark = pytest.mark.asyncio(loop_scope="module")

AUDIT = Audit("locker")
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
XML = "application/vnd.etsi.tsl+xml"


class Bench:
    def __init__(self, db: Database, pool: WorkerPool, fetcher: Fetcher, site: Site) -> None:
        self.db = db
        self.readers = ListReaders(fetcher=fetcher, pool=pool)
        self.site = site

    async def follow(self, source: str, *signers: Holder, territories: tuple[str, ...] = ()) -> list[ListShown]:
        texts = [base64.b64encode(signer.der).decode() for signer in signers]
        return await follow(
            self.db,
            AUDIT,
            source,
            signers=texts,
            territories=list(territories),
            loopback_allowed=True,
            officer="test",
        )

    async def sync(self) -> dict[str, Synced]:
        return {synced.source: synced for synced in await sync(self.db, AUDIT, self.readers)}

    async def shown(self) -> dict[str, ListShown]:
        return {one.source: one for one in await list_store.shown(self.db)}

    def serve(self, path: str, xml: bytes) -> str:
        return self.site.serve(path, xml, content_type=XML)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[WorkerPool]:
    made = list_workers()
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(dsns: Dsns, pool: WorkerPool) -> AsyncIterator[Bench]:
    db = await Database.connect(dsns.locker)
    await db.execute("DELETE FROM locker.trust_list")
    fetcher = Fetcher(ca_file=authority_files()[0], loopback_allowed=True)
    async with running_site() as site:
        yield Bench(db, pool, fetcher, site)
    fetcher.close()
    await db.close()


def edition(by: Holder, sequence: int = 1, *services: Service, **changes: object) -> bytes:
    dates = {"issued_at": NOW, "next_update": NOW + 180 * DAY}
    return trust_list(by, *(services or (Service(pki().issuing),)), sequence=sequence, **{**dates, **changes})


async def test_a_followed_list_is_read_kept_and_believed(bench: Bench) -> None:
    by = operator()
    source = bench.serve("/tl.xml", edition(by))
    await bench.follow(source, by)
    assert (await bench.shown())[source].state == "never-read"
    register = TrustRegister()
    before = await register.trust(bench.db)
    assert (await bench.sync())[source] == Synced(source=source, outcome="new", sequence=1)
    after = await register.trust(bench.db)
    assert before.services == ()
    assert [(s.kind, s.name, s.certificates) for s in after.services] == [
        ("ca", "Seals of administrations", (pki().issuing.der,))
    ]
    assert after.services[0].list_next_update == NOW + 180 * DAY
    assert after.version != before.version
    shown = (await bench.shown())[source]
    assert (shown.state, shown.sequence, shown.services, shown.failure) == ("in-force", 1, 1, None)
    assert (await bench.sync())[source].outcome == "unchanged"
    assert (await register.trust(bench.db)).version == after.version


async def test_the_next_edition_takes_the_place(bench: Bench) -> None:
    by = operator()
    source = bench.serve("/tl.xml", edition(by))
    await bench.follow(source, by)
    await bench.sync()
    bench.serve("/tl.xml", edition(by, 2, Service(pki().root, name="Another")))
    assert (await bench.sync())[source].sequence == 2
    assert [service.name for service in (await TrustRegister().trust(bench.db)).services] == ["Another"]


@pytest.mark.parametrize(("sequence", "failure"), [(4, "rollback"), (1, "rollback"), (5, "same-sequence"), (6, None)])
async def test_nothing_goes_back_to_a_lower_sequence_number(bench: Bench, sequence: int, failure: str | None) -> None:
    by = operator()
    source = bench.serve("/tl.xml", edition(by, 5))
    await bench.follow(source, by)
    await bench.sync()
    bench.serve("/tl.xml", edition(by, sequence, Service(pki().root, name="Old friends")))
    synced = (await bench.sync())[source]
    assert synced.failure == failure
    names = [service.name for service in (await TrustRegister().trust(bench.db)).services]
    assert names == (["Seals of administrations"] if failure else ["Old friends"])
    shown = (await bench.shown())[source]
    assert (shown.sequence, shown.failure) == (6 if failure is None else 5, failure)


async def test_two_syncs_at_once_read_each_list_once(bench: Bench) -> None:
    by = operator()
    for number in range(3):
        await bench.follow(bench.serve(f"/{number}.xml", edition(by)), by)
    rounds = (sync(bench.db, AUDIT, bench.readers, not_since=DAY) for _ in range(2))
    first, second = await asyncio.gather(*rounds)
    assert len({synced.source for synced in (*first, *second)}) == len(first) + len(second) == 3


async def test_an_expired_list_is_still_believed_and_everybody_is_told(bench: Bench) -> None:
    by = operator()
    source = bench.serve("/tl.xml", edition(by, issued_at=NOW - 200 * DAY, next_update=NOW - DAY))
    await bench.follow(source, by)
    assert (await bench.sync())[source].outcome == "new"
    assert (await bench.shown())[source].state == "expired"
    assert len((await TrustRegister().trust(bench.db)).services) == 1
    assert (await count_lists(bench.db))["expired"] == 1


async def test_a_list_that_says_it_is_the_last_is_shown_as_closed(bench: Bench) -> None:
    by = operator()
    source = bench.serve("/tl.xml", edition(by, next_update=None))
    await bench.follow(source, by)
    await bench.sync()
    assert (await bench.shown())[source].state == "closed"


async def test_a_list_of_another_signer_changes_nothing_and_is_recorded_once(bench: Bench) -> None:
    by = operator()
    source = bench.serve("/tl.xml", edition(by))
    await bench.follow(source, by)
    await bench.sync()
    bench.serve("/tl.xml", edition(operator(), 2))
    for _ in range(2):
        assert (await bench.sync())[source].failure == "other-signer"
    assert (await bench.shown())[source].sequence == 1
    recorded = await bench.db.fetchval(
        "SELECT count(*) FROM locker.audit WHERE action = 'trust-list.refused' AND detail->>'source' = $1", source
    )
    assert recorded == 1
    bench.serve("/tl.xml", edition(by, 2))
    assert (await bench.sync())[source].outcome == "new"
    assert (await bench.shown())[source].failure is None


async def test_an_address_that_fails_leaves_the_list_in_force(bench: Bench) -> None:
    by = operator()
    source = bench.serve("/tl.xml", edition(by))
    await bench.follow(source, by)
    await bench.sync()
    for refuse in (lambda: bench.site.refuse("/tl.xml", 500), lambda: bench.site.refuse("/tl.xml", 302, Location="/")):
        refuse()
        assert ((await bench.sync())[source].failure or "").startswith("unreachable: ")
    assert (await bench.shown())[source].sequence == 1
    assert len((await TrustRegister().trust(bench.db)).services) == 1


async def test_fifty_megabytes_and_an_entity_bomb_cost_nothing(bench: Bench) -> None:
    by = operator()
    large = bench.serve("/large.xml", b"<x>" + b" " * 50_000_000 + b"</x>")
    bomb = bench.serve("/bomb.xml", b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>')
    await bench.follow(large, by)
    await bench.follow(bomb, by)
    synced = await bench.sync()
    assert synced[large].failure == "unreachable: the answer is too long"
    assert synced[bomb].failure == "document-type"


async def test_a_list_may_be_a_file(bench: Bench, tmp_path: Path) -> None:
    by, file = operator(), tmp_path / "tl.xml"
    file.write_bytes(edition(by))
    await bench.follow(str(file), by)
    assert (await bench.sync())[str(file)].outcome == "new"
    file.write_bytes(b" " * 25_000_002)
    assert (await bench.sync())[str(file)].failure == "too-large"
    file.unlink()
    assert (await bench.sync())[str(file)].failure == "unreachable: the file cannot be read"


@pytest.mark.parametrize(
    "source", ["http://tl.example/tl.xml", "https://10.0.0.1/tl.xml", "ftp://tl.example/x", "tl.xml"]
)
async def test_what_leads_inwards_is_not_followed(bench: Bench, source: str) -> None:
    with pytest.raises(SourceUnfit):
        await follow(
            bench.db,
            AUDIT,
            source,
            signers=[base64.b64encode(operator().der).decode()],
            territories=[],
            loopback_allowed=False,
            officer="test",
        )


class Lotl:
    """A list of lists that points at a Moroccan and a Tunisian list."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.by, self.ma, self.tn = operator("LOTL"), operator("MA"), operator("TN")
        self.source = bench.site.url("/lotl.xml")
        self.ma_source = bench.serve("/ma.xml", edition(self.ma, 1, Service(pki().issuing, name="of MA")))
        self.tn_source = bench.serve("/tn.xml", edition(self.tn, 1, Service(pki().root, name="of TN"), territory="TN"))

    def publish(self, sequence: int = 1, **changes: object) -> None:
        pointers = changes.pop("pointers", None) or [
            Pointing(self.ma_source, [self.ma]),
            Pointing(self.tn_source, [self.tn], territory="TN"),
            Pointing(self.source, [self.by], territory="EU", type=LIST_OF_LISTS),
        ]
        by = changes.pop("by", self.by)
        assert isinstance(by, Holder)
        xml = edition(by, sequence, Service(pki().tsa, type="EDS/Q"), type_=LIST_OF_LISTS, pointers=pointers, **changes)
        self.bench.serve("/lotl.xml", xml)


async def names_believed(bench: Bench) -> set[str]:
    return {service.name for service in (await TrustRegister().trust(bench.db)).services}


async def test_a_list_of_lists_leads_to_the_national_ones(bench: Bench) -> None:
    lotl = Lotl(bench)
    lotl.publish()
    await bench.follow(lotl.source, lotl.by)
    synced = await bench.sync()
    assert {source: one.outcome for source, one in synced.items()} == {
        lotl.source: "new",
        lotl.ma_source: "new",
        lotl.tn_source: "new",
    }
    assert await names_believed(bench) == {"of MA", "of TN"}
    assert (await bench.shown())[lotl.ma_source].pointed_by == lotl.source


async def test_only_the_countries_that_are_asked_for_are_followed(bench: Bench) -> None:
    lotl = Lotl(bench)
    lotl.publish()
    await bench.follow(lotl.source, lotl.by, territories=("MA",))
    await bench.sync()
    assert await names_believed(bench) == {"of MA"}
    await bench.follow(lotl.source, lotl.by)
    await bench.sync()
    assert await names_believed(bench) == {"of MA", "of TN"}


async def test_the_pointer_says_who_must_have_signed(bench: Bench) -> None:
    lotl = Lotl(bench)
    lotl.publish()
    bench.serve("/ma.xml", edition(lotl.tn, 1))
    await bench.follow(lotl.source, lotl.by)
    synced = await bench.sync()
    assert synced[lotl.ma_source].failure == "other-signer"
    assert await names_believed(bench) == {"of TN"}


async def test_a_pointer_that_is_gone_takes_its_list_along(bench: Bench) -> None:
    lotl = Lotl(bench)
    lotl.publish()
    await bench.follow(lotl.source, lotl.by)
    await bench.sync()
    lotl.publish(2, pointers=[Pointing(lotl.ma_source, [lotl.ma])])
    await bench.sync()
    assert await names_believed(bench) == {"of MA"}
    with pytest.raises(ListUnknown):
        await unfollow(bench.db, AUDIT, lotl.ma_source, officer="test")
    await unfollow(bench.db, AUDIT, lotl.source, officer="test")
    assert await names_believed(bench) == set()


async def test_a_national_list_leads_nowhere(bench: Bench) -> None:
    lotl = Lotl(bench)
    by = operator()
    source = bench.serve("/tl.xml", edition(by, pointers=[Pointing(lotl.tn_source, [lotl.tn])]))
    await bench.follow(source, by)
    assert set(await bench.sync()) == {source}


async def test_pointers_inwards_or_to_files_are_not_followed(bench: Bench, tmp_path: Path) -> None:
    lotl = Lotl(bench)
    file = tmp_path / "tl.xml"
    file.write_bytes(edition(lotl.ma))
    plain = "http://localhost:9/tl.xml"
    lotl.publish(
        pointers=[Pointing(str(file), [lotl.ma]), Pointing(file.as_uri(), [lotl.ma]), Pointing(plain, [lotl.ma])]
    )
    await bench.follow(lotl.source, lotl.by)
    assert set(await bench.sync()) == {lotl.source}


async def test_the_signer_that_an_edition_announces_may_sign_the_next(bench: Bench) -> None:
    lotl, successor = Lotl(bench), operator("Successor")
    own = Pointing(lotl.source, [lotl.by, successor], territory="EU", type=LIST_OF_LISTS)
    lotl.publish(1, pointers=[own])
    await bench.follow(lotl.source, lotl.by)
    await bench.sync()
    lotl.publish(2, by=successor, pointers=[own])
    assert (await bench.sync())[lotl.source].sequence == 2
    lotl.publish(3, by=operator("Stranger"), pointers=[own])
    assert (await bench.sync())[lotl.source].failure == "other-signer"


async def test_pivots_lead_from_a_known_signer_to_a_later_one(bench: Bench) -> None:
    """Two changes of signer were missed: each is in an edition that the signer before it signed."""
    lotl = Lotl(bench)
    second, third = operator("Second"), operator("Third")

    def own(*signers: Holder) -> list[Pointing]:
        return [Pointing(lotl.source, signers, territory="EU", type=LIST_OF_LISTS)]

    pivots = {
        "/pivot-1.xml": edition(lotl.by, 10, type_=LIST_OF_LISTS, pointers=own(second)),
        "/pivot-2.xml": edition(second, 20, type_=LIST_OF_LISTS, pointers=own(third)),
    }
    for path, xml in pivots.items():
        bench.serve(path, xml)
    uris = [bench.site.url("/pivot-2.xml"), bench.site.url("/pivot-1.xml"), "https://elsewhere.example/pivot-0.xml"]
    lotl.publish(30, by=third, pointers=own(third), uris=uris)
    await bench.follow(lotl.source, lotl.by)
    assert (await bench.sync())[lotl.source].sequence == 30
    # A chain that begins with nobody we know leads nowhere.
    lotl.publish(31, by=operator("Stranger"), pointers=own(third), uris=uris)
    assert (await bench.sync())[lotl.source].failure == "other-signer"


async def test_services_are_found_by_a_part_of_their_name(bench: Bench) -> None:
    by = operator()
    await bench.follow(bench.serve("/tl.xml", edition(by)), by)
    await bench.sync()
    (found,) = await show_services(bench.db, "ADMINISTRATIONS")
    assert (found.type, found.periods[0].status) == ("CA/QC", "granted")
    assert await show_services(bench.db, "nobody") == []
