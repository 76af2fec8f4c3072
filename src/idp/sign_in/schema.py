from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import msgspec

from idp.authenticators.passkey import Site
from idp.authenticators.schema import Method, Methods
from idp.authorization.schema import Interaction
from idp.citizens.schema import LocaleName, Proofing, State
from idp.freezing.schema import DeskOnly, Opened, Waiting
from idp.keys.secrets import Secrets
from idp.messages.post import Post
from idp.sessions.browser import Browser
from idp.sessions.levels import Acr
from idp.sessions.schema import Session
from kit.audit import Audit
from kit.db import Database
from kit.offload import Offload
from kit.throttle import Throttle

# Pages of one's own account that may be the reason of a sign-in. Nothing else is led to: no open redirect.
ACCOUNT_PAGES: Mapping[str, str] = {
    "": "/idp/account",
    "password": "/idp/account/password",
    "totp": "/idp/account/totp",
    "codes": "/idp/account/codes",
    "contact": "/idp/account/contact",
    "device": "/idp/device",
    "upstream": "/idp/account/upstream",
    "passkeys": "/idp/account/passkeys",
    "recovery-codes": "/idp/account/recovery-codes",
    "requests": "/idp/account/requests",
    "mandates": "/idp/account/mandates",
    "freeze": "/idp/account/freeze",
    "thaw": "/idp/account/freeze",
    # A frozen citizen gets no session: these lead to what was decided instead (idp/freezing).
    "unfreeze": "/idp/unfreeze",
    "stay-frozen": "/idp/unfreeze",
}
OF_THE_FROZEN = frozenset({"unfreeze", "stay-frozen"})


class Errand(msgspec.Struct, frozen=True):
    """Why somebody signs in: for a relying party's request, or for a page of their own account."""

    interaction: Interaction | None
    to: str = ""
    """A key of ACCOUNT_PAGES, without an interaction."""
    linking: str = ""
    """The other provider whose account the citizen may link once they have signed in; no power lies in it."""
    back: str = ""
    """The interaction that waits meanwhile, where a service's wish led to that page."""

    @property
    def key(self) -> str:
        return f"interaction:{self.interaction.interaction_id}" if self.interaction else f"account:{self.to}"

    @property
    def query(self) -> str:
        parts = [f"interaction={self.interaction.interaction_id}"] if self.interaction else []
        parts += [f"to={self.to}"] if self.to else []
        parts += [f"link={self.linking}"] if self.linking else []
        parts += [f"back={self.back}"] if self.back else []
        return f"?{'&'.join(parts)}" if parts else ""

    @property
    def acr_needed(self) -> Acr:
        if self.interaction:
            # A link opens the account again and again, so it is not made with one factor.
            low = self.interaction.acr_needed == "low"
            return "substantial" if self.linking and low else self.interaction.acr_needed
        # Whoever lost the second step to a thief must be able to freeze with the first.
        return "low" if self.to == "freeze" else "substantial"

    @property
    def reauthenticate(self) -> bool:
        return self.interaction.reauthenticate if self.interaction else bool(self.to)

    def begun_before(self, session: Session) -> bool:
        """The fresh sign-in that was asked for has been done; what may lack is a factor."""
        return self.interaction is not None and session.auth_time >= self.interaction.created_at

    @property
    def served_elsewhere(self) -> bool:
        """May an account at another provider open this? Not what guards the account itself."""
        return not self.linking and (self.interaction is not None or self.to in ("", "device", "requests"))

    @property
    def client_id(self) -> str | None:
        return self.interaction.client_id if self.interaction else None

    @property
    def onward(self) -> str:
        if self.linking:
            return f"/idp/account/upstream/link{self.query}"
        if self.interaction:
            return f"/idp/authorize/resume?interaction={self.interaction.interaction_id}"
        return ACCOUNT_PAGES[self.to] + (f"?back={self.back}" if self.back else "")

    @property
    def of_the_frozen(self) -> bool:
        """Signing in only to open a frozen identity, or to keep it frozen."""
        return self.interaction is None and self.to in OF_THE_FROZEN


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who knocks, as far as the connection tells."""

    browser: Browser
    address_prefix: str
    browser_label: str
    session: Session | None

    @property
    def browser_sha256(self) -> bytes:
        return self.browser.sha256


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that the steps of a sign-in share."""

    db: Database
    audit: Audit
    throttle: Throttle
    secrets: Secrets
    passwords: Offload
    post: Post
    session_idle_s: int
    session_lifetime_s: int
    one_time_code_lifetime_s: int
    unthrottled_uids: frozenset[str]
    site: Site
    unfreeze_waiting_s: int


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What a typed identifier leads to: all None where it leads nowhere."""

    citizen_id: UUID | None
    state: State | None
    locale: LocaleName | None
    proofing: Proofing | None
    argon2: str | None
    methods: Methods
    failures_everywhere: int
    failures_of_password: int


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A first factor that was passed and waits for the second."""

    attempt_id: UUID
    citizen_id: UUID
    uid: str
    state: State
    locale: LocaleName
    proofing: Proofing
    method: Method
    tries: int
    session_sha256: bytes | None
    methods: Methods
    secret_sealed: bytes | None
    claims: Mapping[str, Any]
    now_s: float


class SignedIn(msgspec.Struct, frozen=True):
    session_token: str
    acr: Acr


class SecondFactorAwaited(msgspec.Struct, frozen=True):
    method: Method


class FrozenDecided(msgspec.Struct, frozen=True):
    """Two factors were right, for no session: what they were shown for was done."""

    state: Opened | Waiting | DeskOnly


class Wrong(msgspec.Struct, frozen=True):
    """A negative verdict: the page is shown again."""

    what: Literal["credentials", "code", "passkey"]
