"""Verification by itself: its pages and its API, with trust from a folder and no database."""

import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import ClassVar

from litestar import Litestar, Response, get
from litestar.di import NamedDependency, Provide

import locker
from kit.csrf import Csrf
from kit.edge import Edge, exception_handlers
from kit.offload import Offload
from kit.own_folder import own_folder
from kit.pages import Pages
from kit.settings import Mode, Settings
from locker.home.frame import refusal_page, see_other
from locker.reports.seal_certificate import ReportSeal
from locker.signatures.judge import SignatureJudge, signature_workers
from locker.signing.key_set import key_set
from locker.signing.ring import SigningKeys
from locker.trust.read_list import list_workers
from locker.verification.desk import VerificationDesk, provide_desk
from locker.verification.folder_register import FolderRegister, read_files
from locker.verification.places import Places
from locker.verification.routes import OF_FILES


class VerificationSettings(Settings, frozen=True, kw_only=True):
    """Of ``khizana serve verification``."""

    prefix: ClassVar[str] = "KHIZANA_VERIFICATION_"
    shared: ClassVar[frozenset[str]] = frozenset({"mode", "trusted_proxies"})

    mode: Mode = "production"
    url: str
    """Our own base URL, in signed answers and behind the QR of certificates: no trailing slash."""
    trust_folder: Path
    """Whom to believe: see ``FolderRegister``."""
    keys_folder: Path
    """``signing-ES256.pem`` (after rotations others beside it), ``report-seal-ES256.pem`` and ``report-seal.crt``;
    made if they are not there."""
    trusted_proxies: tuple[str, ...] = ()
    temporary_folder: Path | None = None
    file_max_bytes: int = 25_000_000
    receive_max_s: float = 60.0
    per_address_per_minute: int = 30
    """Counted in each process."""
    at_once_max: int = 2
    """Files that one process judges at once: one more than ``judge_workers`` keeps them all busy."""
    waiting_max: int = 32
    wait_max_s: float = 5.0
    """What waits longer, or comes when so many wait, is answered 503."""
    judge_workers: int = 1
    judge_waiting_max: int = 64
    paper_waiting_max: int = 16

    def refused_in_production(self) -> Iterable[tuple[str, str]]:
        if not self.url.startswith("https://"):
            yield "url", "production needs an https address"


def check(settings: VerificationSettings) -> None:
    """Raises SettingRefused for a trust folder that cannot be read, before anything starts."""
    read_files(settings.trust_folder)


@get("/", operation_id="StandaloneHome")
async def home() -> Response[bytes]:
    return see_other("/verify")


@get("/.well-known/jwks.json", operation_id="StandaloneKeys", media_type="application/jwk-set+json")
async def jwks(desk: NamedDependency[VerificationDesk]) -> Response[bytes]:
    """Public keys with which the signed answers verify (RFC 7517)."""
    return key_set(desk.signing.jwks())


@get(
    "/.well-known/historical-keys.json",
    operation_id="StandaloneHistoricalKeys",
    media_type="application/jwk-set+json",
)
async def historical_keys(desk: NamedDependency[VerificationDesk]) -> Response[bytes]:
    return key_set(desk.signing.historical())


def create_standalone(settings: VerificationSettings) -> Litestar:
    folder = Path(locker.__path__[0])
    pages = Pages({"locker": folder}, static_prefix="/static", home="/verify")

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            judges = signature_workers(workers=settings.judge_workers, waiting_max=settings.judge_waiting_max)
            stack.push_async_callback(judges.close)
            readers = list_workers()
            stack.push_async_callback(readers.close)
            paper = Offload("paper", threads=1, waiting_max=settings.paper_waiting_max)
            stack.callback(paper.close)
            signing = SigningKeys(settings.keys_folder)
            stack.push_async_callback(signing.stop)
            await signing.start()
            # No form of ours has a token: no cookie lends any of them power, and they are checked by their origin.
            csrf = Csrf(secrets.token_bytes(32), origin=_origin_of(settings.url))
            app.state.wiring = app.state.desk = VerificationDesk(
                register=await FolderRegister.open(settings.trust_folder, readers),
                judge=SignatureJudge(judges),
                signing=signing,
                seal=ReportSeal.load_or_create(settings.keys_folder, name=settings.url),
                paper=paper,
                pages=pages,
                csrf=csrf,
                url=settings.url,
                issuer=settings.url,
                file_max_bytes=settings.file_max_bytes,
                receive_max_s=settings.receive_max_s,
                per_address_per_minute=settings.per_address_per_minute,
                places=Places(settings.at_once_max, waiting_max=settings.waiting_max, wait_max_s=settings.wait_max_s),
                folder=stack.enter_context(own_folder(settings.temporary_folder)),
            )
            yield

    app = Litestar(
        [home, jwks, historical_keys, *OF_FILES, pages.static.handler()],
        dependencies={"desk": Provide(provide_desk)},
        exception_handlers=exception_handlers(refusal_page),
        lifespan=[lifespan],
        openapi_config=None,
        request_max_body_size=1_000_000,
        # Its own would take the place of the process's, which is lines for programs (kit/edge.py).
        logging_config=None,
        debug=False,
    )
    app.asgi_handler = Edge(app.asgi_handler, trusted_proxies=settings.trusted_proxies)
    return app


def _origin_of(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"
