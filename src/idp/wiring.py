"""The parts, put together once at the start. Actions get the parts they need, never this whole."""

from dataclasses import dataclass

from litestar.datastructures import State

from idp.authenticators.breached import BreachedPasswords
from idp.authorization.proceed import Provider
from idp.authorization.receive import Reception
from idp.authorization.store import Answers
from idp.clients.authenticate import ClientAuthentication
from idp.clients.certificates import CertificationAuthorities
from idp.clients.find import FindClient
from idp.clients.key_sets import KeySets
from idp.clients.proof import Proofs
from idp.clients.registry import ClientRegistry
from idp.clients.scopes import ScopeRegistry
from idp.keys.place import place_of
from idp.keys.ring import KeyRing
from idp.keys.secrets import Secrets
from idp.logout.deliver import LogoutDelivery
from idp.messages.post import Post
from idp.messages.sms_caps import SmsCaps
from idp.releases.store import ReleaseStore
from idp.settings import IdpSettings
from idp.token.accept import AccessTokens
from idp.token.grants import TokenEndpoint
from idp.token.store import TokenStore
from idp.upstream.providers import Providers
from idp.upstream.wire import opened
from kit.audit import Audit
from kit.csrf import Csrf
from kit.db import Database
from kit.dpop import Nonces
from kit.errors import Unavailable
from kit.offload import Offload
from kit.outbound.fetch import Fetcher, FetchRefused
from kit.pages import Pages
from kit.throttle import Throttle


@dataclass(frozen=True)
class Wiring:
    settings: IdpSettings
    db: Database
    audit: Audit
    throttle: Throttle
    csrf: Csrf
    secrets: Secrets
    keys: KeyRing
    clients: ClientRegistry
    key_sets: KeySets
    client_authentication: ClientAuthentication
    proofs: Proofs
    access_tokens: AccessTokens
    scopes: ScopeRegistry
    provider: Provider
    reception: Reception
    token_endpoint: TokenEndpoint
    releases: ReleaseStore
    passwords: Offload
    """Argon2 runs here, bounded: a full queue answers 503."""
    breached: BreachedPasswords
    post: Post
    fetcher: Fetcher
    """For every address that a client named."""
    logout_delivery: LogoutDelivery
    upstreams: Providers
    """Other providers, which an operator named."""
    pages: Pages


def origin_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"


async def connect(settings: IdpSettings, pages: Pages) -> Wiring:
    db = await Database.connect(
        settings.database_url,
        connections_max=settings.connections_max,
        acquire_timeout_s=settings.connections_wait_s,
        by_keys=True,
    )
    secrets = Secrets(bytes.fromhex(settings.secret))
    audit, keys, clients = Audit("idp"), KeyRing(place_of(settings), reread_s=settings.keys_reread_s), ClientRegistry()
    await keys.start()
    proofs = Proofs(
        issuer=settings.issuer,
        mtls_issuer=settings.mtls_issuer,
        nonces=Nonces(secrets.derive("dpop-nonce")),
        nonce_needed=settings.dpop_nonce_required,
    )
    fetcher = Fetcher.of(settings)
    scopes, key_sets = ScopeRegistry(db), KeySets(fetcher, refused=(FetchRefused, Unavailable))
    client_authentication = ClientAuthentication(
        db=db,
        clients=clients,
        find=FindClient(db, clients),
        key_sets=key_sets,
        issuer=settings.issuer,
        mtls_issuer=settings.mtls_issuer,
        authorities=CertificationAuthorities.read(settings.mtls_ca_file) if settings.mtls_ca_file else None,
    )
    token_store = TokenStore(audit, db)
    return Wiring(
        settings=settings,
        db=db,
        audit=audit,
        throttle=Throttle("idp"),
        csrf=Csrf(secrets.derive("csrf"), origin=origin_of(settings.issuer)),
        secrets=secrets,
        keys=keys,
        clients=clients,
        key_sets=key_sets,
        client_authentication=client_authentication,
        proofs=proofs,
        access_tokens=AccessTokens(
            db=db, store=token_store, clients=clients, keys=keys, proofs=proofs, issuer=settings.issuer
        ),
        scopes=scopes,
        provider=Provider(
            db=db,
            audit=audit,
            secrets=secrets,
            keys=keys,
            scopes=scopes,
            answers=Answers(audit),
            issuer=settings.issuer,
            interaction_lifetime_s=settings.interaction_lifetime_s,
            code_lifetime_s=settings.code_lifetime_s,
        ),
        reception=Reception(key_sets=key_sets, fetcher=fetcher, issuer=settings.issuer),
        releases=ReleaseStore(audit, db),
        token_endpoint=TokenEndpoint(
            db=db,
            audit=audit,
            store=token_store,
            clients=clients,
            client_authentication=client_authentication,
            keys=keys,
            secrets=secrets,
            issuer=settings.issuer,
            access_token_lifetime_s=settings.access_token_lifetime_s,
            refresh_token_lifetime_s=settings.refresh_token_lifetime_s,
        ),
        passwords=Offload("passwords", threads=settings.password_threads, waiting_max=settings.password_waiting_max),
        breached=BreachedPasswords(settings.breached_passwords),
        post=Post(secrets, pages, SmsCaps.of(settings)),
        fetcher=fetcher,
        logout_delivery=LogoutDelivery(
            db, audit, fetcher=Fetcher.of(settings), keys=keys, clients=clients, issuer=settings.issuer
        ),
        upstreams=Providers(
            secrets, wire=opened(ca_file=settings.outbound_ca_file), loopback_allowed=settings.outbound_loopback
        ),
        pages=pages,
    )


async def close(wiring: Wiring) -> None:
    wiring.passwords.close()
    await wiring.logout_delivery.close()
    wiring.fetcher.close()
    await wiring.upstreams.wire.inner.aclose()
    await wiring.keys.stop()
    await wiring.db.close()


async def provide_wiring(state: State) -> Wiring:
    wiring = state.wiring
    assert isinstance(wiring, Wiring)
    return wiring
