"""Where it happens: the product with two servers and two workers, who lives there, and whom it tells by webhook."""

import base64
import datetime as dt
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp.citizens.enrol import enrol
from idp.citizens.schema import Enrolment
from idp.clients import register as clients
from idp.clients.schema import ClientRegistration
from idp.keys.place import place_of
from idp.keys.secrets import Secrets
from idp.subjects.pairwise import pairwise_sub
from khizana.databases import connected
from khizana.demo.country import CITIZENS
from khizana.prepare import LOCKER_SECTOR
from kit.audit import Audit
from kit.ids import new_id
from kit.jose import LocalKeySet, SigningKey
from locker.administrations.register import register
from locker.administrations.schema import AdministrationRegistration
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.requests.register_purpose import register_purpose
from locker.requests.schema import PurposeRegistration
from locker.seals.enable import enable
from locker.seals.keys import SealKeys
from locker.vault import store as vault_store
from locker.vault.keys import KEY_BYTES, Keys, citizen_associated_data, epoch_associated_data, unwrap, wrap
from locker.vault.masters import masters_of
from locker.webhooks.register import register as register_webhook
from locker.webhooks.schema import OF_ADMINISTRATIONS, OF_CLIENTS, Actor, NewWebhook, Owner
from locker.webhooks.sealed_keys import SealedKeys
from tests.faults.chaos.model import Citizen, Connection, Detail, Figures, Model
from tests.faults.chaos.outside import Issuer, Receivers, Scanner, Stamping, running_scanner
from tests.faults.rig import Rig, running
from tests.locker_world import BIRTH, INTERIOR, JUSTICE, RECORD, SCHEMA, client_of, names, new_pki
from tests.sites import Site, authority_files, running_site
from tests.time_stamp_authority import Authority, listening
from tests.unit.locker.deposits.signed_parts import stamped_by
from tests.unit.locker.seals.sealing_world import stamps_of

WALLET, BANK, SCHOOL = "wallet-app", "bank", "school"
CITIZEN_SCOPES = "documents:read documents:share documents:upload documents:export documents:erase"
TOKEN_S = 240
"""Exports want a sign-in of the last five minutes."""
RETAINED, RETENTION_DAYS = "RESIDENCE", 30
"""A type whose documents are not kept for ever."""
PURPOSE = "account"
SETTINGS = {
    "KHIZANA_LOCKER_OUTBOUND_LOOPBACK": "true",
    # What is limited by address is limited for all of us together.
    "KHIZANA_LOCKER_VERIFICATIONS_PER_ADDRESS_PER_MINUTE": "100000",
    "KHIZANA_LOCKER_UPLOADS_PER_OWNER_PER_HOUR": "100000",
    # What an issuer keeps is asked for again at nearly each look, and let go by nearly each sweep.
    "KHIZANA_LOCKER_REFERENCE_FRESHNESS_S": "1",
    "KHIZANA_LOCKER_REFERENCE_CACHE_S": "4",
    "KHIZANA_LOCKER_ERASURE_WAIT_S": "1",
    # Of a seal whose server died, or could not say that nothing came of it.
    "KHIZANA_LOCKER_SEAL_LEASE_S": "10",
    "KHIZANA_LOCKER_CLAMAV_ANSWER_MAX_S": "2",
    "KHIZANA_LOCKER_QUARANTINE_FIRST_WAIT_S": "1",
    "KHIZANA_LOCKER_QUARANTINE_WAIT_MAX_S": "1",
    "KHIZANA_LOCKER_QUARANTINE_ATTEMPTS_MAX": "1000",
}


@dataclass
class Place:
    rig: Rig
    model: Model
    figures: Figures
    site: Site
    signing: SigningKey
    """The provider's: citizens hold tokens here without having signed in, because what is tried comes after it."""
    https: list[httpx.AsyncClient]
    """To each server."""
    stores: dict[str, Any]
    receivers: Receivers
    issuer: Issuer
    scanner: Scanner
    stamping: Stamping
    months: int = 0
    """That were made to be over."""
    _tokens: dict[tuple[str, ...], tuple[str, float]] = field(default_factory=dict)

    def citizen_token(self, citizen: Citizen) -> str:
        jti = _jti(citizen.family_id)
        return self._token(citizen.sub, WALLET, CITIZEN_SCOPES, jti, acr="substantial")

    def client_token(self, client_id: str, scope: str) -> str:
        return self._token(client_id, client_id, scope, secrets.token_urlsafe(24))

    def allowed_token(self, citizen: Citizen, detail: Detail) -> str:
        """The bank's, with what the citizen allowed it."""
        family = detail.family_id.bytes
        details = [detail.said]
        return self._token(
            citizen.sub, BANK, "", _jti(family), kept_as=family.hex(), acr="substantial", authorization_details=details
        )

    def _token(self, sub: str, client_id: str, scope: str, jti: str, *, kept_as: str = "", **claims: Any) -> str:
        name = (sub, client_id, scope, kept_as)
        kept = self._tokens.get(name)
        if kept is None or time.monotonic() > kept[1]:
            now = int(time.time())
            whole = {
                "iss": self.rig.home.issuer,
                "aud": self.rig.home.url,
                "sub": sub,
                "client_id": client_id,
                "scope": scope,
                "iat": now,
                "exp": now + TOKEN_S + 60,
                "auth_time": now,
                "jti": jti,
                **claims,
            }
            kept = self._tokens[name] = (self.signing.sign(whole, typ="at+jwt"), time.monotonic() + TOKEN_S)
        return kept[0]

    async def as_owner(self, sql: str, *arguments: Any) -> None:
        """Over a connection of its own: those of before may have died with the database."""
        connection = await asyncpg.connect(self.stores["postgres"].address.dsn("owner"))
        try:
            await connection.execute(sql, *arguments)
        finally:
            await connection.close()

    async def connect(self, citizen: Citizen) -> None:
        """The citizen signs in at the bank, and allows it documents until a day."""
        former = citizen.connections[-1] if citizen.connections else None
        citizen_id = former.citizen_id if former else await self._citizen_id(citizen)
        connection = Connection(owner=citizen.sub, citizen_id=citizen_id, consent_id=new_id())
        await self.as_owner(
            """INSERT INTO idp.consent (consent_id, citizen_id, client_id, scopes, claims)
               VALUES ($1, $2, $3, '{openid}', '{}')""",
            connection.consent_id,
            citizen_id,
            BANK,
        )
        citizen.connections.append(connection)
        day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
        for fields in ([], ["family_name"]):
            await self.allow(citizen, until=day.isoformat(), **({"fields": fields} if fields else {}))

    async def allow(self, citizen: Citizen, **said: Any) -> Detail:
        """One answer of the citizen at the provider."""
        connection = citizen.connections[-1]
        detail = Detail(connection=connection, family_id=new_id())
        detail.said = {"type": "locker_document", "document_types": [BIRTH], "purpose": PURPOSE, **said}
        await self.as_owner(
            _FAMILY, detail.family_id, BANK, connection.citizen_id, connection.consent_id, citizen.sub, []
        )
        connection.details.append(detail)
        return detail

    async def _citizen_id(self, citizen: Citizen) -> UUID:
        async with connected(self.rig.deployment.owner_dsn()) as db:
            found: UUID = await db.fetchval("SELECT citizen_id FROM idp.citizen WHERE uid = $1", citizen.uid)
        return found

    async def month_ends(self) -> None:
        """Every citizen's key stands under a month before this one, until something wraps them again."""
        deployment = self.rig.deployment
        async with connected(deployment.owner_dsn()) as db:
            keys = Keys(db, masters_of(deployment.locker_settings()))
            try:
                self.months += 1
                epoch = f"{1990 + self.months // 12}-{self.months % 12 + 1:02}"
                master, fresh = await keys._masters.newest(), secrets.token_bytes(KEY_BYTES)
                await vault_store.add_epoch_key(
                    db,
                    epoch=epoch,
                    master_id=master.id,
                    wrapped_key=await master.wrap(fresh, epoch_associated_data(epoch)),
                )
                await db.execute(
                    "UPDATE locker.epoch_key SET created_at = now() - interval '60 days' WHERE epoch = $1", epoch
                )
                for row in await db.fetch(
                    "SELECT owner, epoch, wrapped_key FROM locker.citizen_key WHERE wrapped_key IS NOT NULL"
                ):
                    owner, before = row["owner"], row["wrapped_key"]
                    key = unwrap(await keys._epoch(row["epoch"]), before, citizen_associated_data(owner, row["epoch"]))
                    await db.execute(
                        """UPDATE locker.citizen_key SET epoch = $2, wrapped_key = $3
                            WHERE owner = $1 AND wrapped_key = $4""",
                        owner,
                        epoch,
                        wrap(AESGCM(fresh), key, citizen_associated_data(owner, epoch)),
                        before,
                    )
            finally:
                keys.close()

    async def somebody_comes(self) -> Citizen:
        """A citizen who may leave again, under a name that nobody else has."""
        number = len(self.model.citizens)
        name = f"Zibouane{number}{secrets.token_hex(3)}"
        citizen = await _enrolled(self, number, name)
        citizen.passing = True
        return citizen


@asynccontextmanager
async def opened(folder: Path, stores: dict[str, Any], figures: Figures) -> AsyncIterator[Place]:
    # A socket's path has 107 bytes at most.
    sockets = tempfile.TemporaryDirectory(prefix="scan-")
    settings = {
        **SETTINGS,
        "KHIZANA_LOCKER_OUTBOUND_CA_FILE": str(authority_files()[0]),
        "KHIZANA_LOCKER_CLAMAV": f"{sockets.name}/clamd.sock",
    }
    async with (
        running_site() as site,
        running_scanner(settings["KHIZANA_LOCKER_CLAMAV"]) as scanner,
        listening(Authority(stamps_of(new_pki(folder / "pki")))) as authority,
        running(
            folder,
            stores["postgres"],
            stores["s3"],
            workers=2,
            provider_apart=True,
            KHIZANA_LOCKER_TIME_STAMP_AUTHORITIES=authority.address,
            **settings,
        ) as rig,
    ):
        https = [node.http(timeout=60) for node in rig.nodes]
        receivers = Receivers(site, figures, figures.broken.append)
        place = Place(
            rig,
            Model(),
            figures,
            site,
            await _signing_key(rig),
            https,
            stores,
            receivers,
            Issuer(site),
            scanner,
            Stamping(authority),
        )
        try:
            await _people(place)
            await _offices(place)
            await _told(place)
            with stamped_by(rig):
                yield place
        finally:
            for http in https:
                await http.aclose()
            sockets.cleanup()


def _jti(family_id: bytes) -> str:
    return base64.urlsafe_b64encode(family_id + secrets.token_bytes(9)).rstrip(b"=").decode()


async def _signing_key(rig: Rig) -> SigningKey:
    keys = place_of(rig.deployment.idp_settings())
    found = [one.key for one in await keys.read() if one.alg == "ES256"]
    keys.close()
    assert isinstance(found[0], SigningKey)
    return found[0]


async def _people(place: Place) -> None:
    """Three citizens who stay, one of them the rig's own; each has let a wallet app in."""
    rig, idp = place.rig, place.rig.deployment.idp_settings()
    async with connected(idp.database_url) as db:
        for client_id in (WALLET, BANK, SCHOOL, client_of(JUSTICE)):
            machine = {
                "client_id": client_id,
                "client_name": client_id,
                "profile": "machine",
                "sector": client_id,
                "token_endpoint_auth_method": "private_key_jwt",
                "grant_types": ["client_credentials"],
                "scope": "documents:deposit",
                "jwks": LocalKeySet([SigningKey.generate("ES256")]).jwks(),
            }
            registration = msgspec.convert(machine, ClientRegistration)
            await clients.register(db, Audit("idp"), registration, officer="test", production=False)
    for number in range(3):
        await _enrolled(place, number, f"citizen-{number}", uid=rig.uid if number == 0 else None)
    assert place.model.citizens[0].sub == rig.owner


async def _enrolled(place: Place, number: int, name: str, *, uid: str | None = None) -> Citizen:
    """With an account that is active, and a wallet app that was let in. ``uid``: of one who is there already."""
    rig, idp = place.rig, place.rig.deployment.idp_settings()
    sealing = Secrets(bytes.fromhex(idp.secret))
    if uid is None:
        said = {**CITIZENS[1].enrolment(), "cnie": f"ZZ{900_000 + number}", "external_reference": f"chaos/{number}"}
        said["claims"] = {**said["claims"], "email": f"{name}@example.org"}
        async with connected(idp.database_url) as db:
            enrolment = msgspec.convert(said, Enrolment)
            uid = (await enrol(db, Audit("idp"), sealing, enrolment, officer="test", code_lifetime_s=3600)).uid
    async with connected(rig.deployment.owner_dsn()) as owner_db:
        citizen_id: UUID = await owner_db.fetchval(
            "UPDATE idp.citizen SET state = 'active' WHERE uid = $1 RETURNING citizen_id", uid
        )
        sub, family_id = pairwise_sub(sealing, sector=LOCKER_SECTOR, citizen_id=citizen_id), new_id()
        await owner_db.execute(_FAMILY, family_id, WALLET, citizen_id, new_id(), sub, CITIZEN_SCOPES.split())
    citizen = Citizen(uid, sub, family_id.bytes, name)
    place.model.citizens.append(citizen)
    await place.connect(citizen)
    return citizen


_FAMILY = """
    INSERT INTO idp.token_family (family_id, client_id, citizen_id, consent_id, sid, sub, scopes, claims, auth_time,
                                  acr, amr, offline, expires_at)
    VALUES ($1, $2, $3, $4, '', $5, $6, '{}', now(), 'substantial', '{pwd}', true, now() + interval '1 day')"""


async def _offices(place: Place) -> None:
    """A second administration, of documents that the first may not issue, and which the locker seals for; documents of
    the first that are not kept for ever; and what the bank may ask citizens for."""
    rig, audit = place.rig, Audit("locker")
    await _retained(rig)
    type_ = TypeRegistration(type=RECORD, names=names(RECORD), category="civil-status", fields=SCHEMA)
    await register_type(rig.db, audit, type_, officer="test")
    administration = AdministrationRegistration(
        administration=JUSTICE,
        names=names(JUSTICE),
        clients=[client_of(JUSTICE)],
        types=[RECORD],
        seal_certificates=[rig.pki.seals[JUSTICE].pem],
    )
    await register(rig.db, audit, administration, officer="test")
    await _sealed_for(rig)
    purpose = {
        "client_id": BANK,
        "purpose_id": PURPOSE,
        "names": names("Bank"),
        "purpose": names("An account"),
        "documents": [{"type": BIRTH, "fields": None}],
    }
    await register_purpose(rig.db, audit, msgspec.convert(purpose, PurposeRegistration), officer="test")


async def _retained(rig: Rig) -> None:
    audit = Audit("locker")
    kept = TypeRegistration(
        type=RETAINED,
        names=names(RETAINED),
        category="civil-status",
        fields=SCHEMA,
        retention_days=RETENTION_DAYS,
    )
    await register_type(rig.db, audit, kept, officer="test")
    administration = AdministrationRegistration(
        administration=INTERIOR,
        names=names(INTERIOR),
        clients=[client_of(INTERIOR)],
        types=[BIRTH, RETAINED],
        seal_certificates=[rig.pki.seals[INTERIOR].pem],
    )
    await register(rig.db, audit, administration, officer="test")


async def _sealed_for(rig: Rig) -> None:
    folder, seal = rig.deployment.locker_settings().keys_folder / "seals", rig.pki.seals[JUSTICE]
    folder.mkdir(mode=0o700)
    place = os.open(folder / f"{JUSTICE}.pem", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(place, "wb") as file:
        file.write(seal.key_pem)
    keys = SealKeys(folder, None)
    try:
        await enable(
            rig.db,
            Audit("locker"),
            keys,
            administration=JUSTICE,
            certificate=seal.pem,
            chain=[rig.pki.issuing.pem],
            officer="test",
        )
    finally:
        keys.close()


async def _told(place: Place) -> None:
    """Both administrations and a relying party have a receiver; and the first one keeps documents itself."""
    rig = place.rig
    sealed = SealedKeys(rig.deployment.locker_settings().secret)
    for owner in (Owner(administration=INTERIOR), Owner(administration=JUSTICE), Owner(client_id=BANK)):
        events = OF_CLIENTS if owner.client_id else OF_ADMINISTRATIONS
        made = await register_webhook(
            rig.db,
            Audit("locker"),
            sealed,
            NewWebhook(url=place.site.url(place.receivers.path(owner.name)), events=list(events)),
            owner=owner,
            actor=Actor(kind="officer", name="test"),
            loopback_allowed=True,
        )
        mine = {owner.administration} if owner.administration else set()
        place.receivers.add(owner.name, made.keys[0].verify_with, mine)
    # A registration wants a domain with a dot, which none of this machine's names has.
    await rig.owner_db.execute(
        "INSERT INTO locker.administration_domain (administration, domain) VALUES ($1, 'localhost')", INTERIOR
    )
