"""Fill a running product with the demo country. Killed and started again, it goes on; done, it only tells."""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx
import msgspec

import idp
from idp.activation.schema import Activation
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from idp.settings import IdpSettings
from khizana.demo.country import ADMINISTRATIONS, CITIZENS
from khizana.demo.deposit import deposit_papers
from khizana.demo.documents import Registry
from khizana.demo.enrol import enrol_citizen
from khizana.demo.kept import Kept, Memory
from khizana.demo.papers import papers
from khizana.demo.pki import load_or_create
from khizana.demo.register import BANK, BANK_CALLBACK, WALLET, WALLET_CALLBACK, register_clients, register_in_locker
from khizana.demo.share import share
from khizana.say import Progress, say
from kit.audit import Audit
from kit.db import Database
from kit.offload import Offload
from kit.pages import Pages
from kit.throttle import Throttle
from locker.settings import LockerSettings

REQUEST_MAX_S = 60.0


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    uid: str
    password: str
    totp_secret: str
    """Base32, for an authenticator app; a code can also be asked for by message and read in the outbox."""
    locale: str


class ToActivate(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    uid: str
    activation_code: str


class ShareLink(msgspec.Struct, frozen=True, kw_only=True):
    recipient: str
    url: str
    pin: str | None


class RelyingParty(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    client_secret: str | None
    redirect_uri: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to tell about the demo."""

    locker: str
    issuer: str
    outbox: str
    sign_ins: list[SignIn]
    to_activate: list[ToActivate]
    shares: list[ShareLink]
    relying_parties: list[RelyingParty]
    documents: int
    folder: str
    """Holds the sealed PDFs, the trust service and the keys of the administrations' clients."""


async def seed(
    home: Path,
    *,
    idp_settings: IdpSettings,
    locker_settings: LockerSettings,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Told:
    """The product must be serving at ``locker_settings.locker_url``. All that is kept stands in ``home``/demo.

    ``transport`` carries the HTTP requests; None is the network.
    """
    memory = Memory(home / "demo")
    if not memory.kept.done:
        await _seed(memory, idp_settings, locker_settings, transport)
        memory.kept.done = True
        memory.save()
    return _told(memory, idp_settings, locker_settings)


async def _seed(
    memory: Memory,
    idp_settings: IdpSettings,
    locker_settings: LockerSettings,
    transport: httpx.AsyncBaseTransport | None,
) -> None:
    registry = Registry(
        pki := load_or_create(memory.folder / "pki", [administration.seal_order for administration in ADMINISTRATIONS])
    )
    idp_db = await Database.connect(idp_settings.database_url, connections_max=2)
    locker_db = await Database.connect(locker_settings.database_url, connections_max=2)
    try:
        if not memory.kept.registered:
            say(f"registering {len(ADMINISTRATIONS)} administrations, their document types and their clients")
            await register_clients(idp_db, memory.kept, memory.folder)
            memory.save()
            await register_in_locker(locker_db, pki)
            memory.kept.registered = True
            memory.save()
        await _enrol(idp_db, memory, idp_settings)
        async with httpx.AsyncClient(
            base_url=locker_settings.locker_url,
            transport=transport,
            timeout=REQUEST_MAX_S,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        ) as http:
            issuer = idp_settings.issuer
            await deposit_papers(http, memory, registry, papers(memory.kept.began_on), issuer=issuer)
            await share(http, idp_db, memory, issuer=issuer, locker_url=locker_settings.locker_url)
    finally:
        await locker_db.close()
        await idp_db.close()


async def _enrol(db: Database, memory: Memory, settings: IdpSettings) -> None:
    secrets = Secrets(bytes.fromhex(settings.secret))
    passwords = Offload("demo-passwords", threads=1, waiting_max=1)
    pages = Pages({"idp": Path(idp.__path__[0])}, static_prefix="/idp/static", home="/idp/account")
    parts = Activation(
        db=db,
        audit=Audit("idp"),
        throttle=Throttle("idp"),
        secrets=secrets,
        passwords=passwords,
        post=Post(secrets, pages),
        one_time_code_lifetime_s=settings.one_time_code_lifetime_s,
    )
    progress = Progress("enrolling", len(CITIZENS))
    try:
        for citizen in CITIZENS:
            await enrol_citizen(parts, memory, citizen)
            progress.step()
    finally:
        passwords.close()
    progress.finish()


def _told(memory: Memory, idp_settings: IdpSettings, locker_settings: LockerSettings) -> Told:
    kept: Kept = memory.kept
    citizens = kept.citizens.values()
    return Told(
        locker=locker_settings.locker_url,
        issuer=idp_settings.issuer,
        outbox=f"{idp_settings.issuer}/outbox",
        sign_ins=[
            SignIn(
                name=citizen.name,
                uid=citizen.uid,
                password=citizen.password or "",
                totp_secret=citizen.totp_secret or "",
                locale=citizen.locale,
            )
            for citizen in citizens
            if citizen.active
        ],
        to_activate=[
            ToActivate(name=citizen.name, uid=citizen.uid, activation_code=citizen.activation_code)
            for citizen in citizens
            if citizen.activation_code
        ],
        shares=[
            ShareLink(recipient=one.recipient, url=f"{locker_settings.locker_url}{one.path}", pin=one.pin)
            for one in kept.shares
        ],
        relying_parties=[
            RelyingParty(client_id=BANK, client_secret=kept.client_secrets.get(BANK), redirect_uri=BANK_CALLBACK),
            RelyingParty(client_id=WALLET, client_secret=None, redirect_uri=WALLET_CALLBACK),
        ],
        documents=len(kept.documents),
        folder=str(memory.folder),
    )
