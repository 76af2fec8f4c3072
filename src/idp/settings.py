from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from kit.settings import Mode, Settings


class IdpSettings(Settings, frozen=True, kw_only=True):
    """What the provider is told by its environment."""

    prefix: ClassVar[str] = "KHIZANA_IDP_"

    mode: Mode = "production"
    issuer: str
    """The issuer identifier: ``https://host/idp``. The provider lives under ``/idp`` of its host."""
    database_url: str
    secret: str
    """At least 64 hexadecimal digits. Pairwise subjects, sealed attributes and form tokens derive from it: a changed
    secret changes every citizen's ``sub``."""
    keys_folder: Path
    """Holds the signing keys, one PEM file each, mode 0600."""
    keys_reread_s: float = 30.0
    """How often each process looks at the signing keys again, for what was rotated or retired."""
    pkcs11_module: Path | None = None
    """Library of a device that keeps the signing keys instead; ``keys_folder`` then remembers their public halves."""
    pkcs11_token: str | None = None
    """Label of the token in it."""
    pkcs11_pin: str | None = None
    """The token's user PIN, best by KHIZANA_IDP_PKCS11_PIN_FILE."""
    signing_key_lifetime_s: int = 90 * 86_400
    """The worker announces a key's successor so that it takes over at this age; 0 leaves that to the operator."""
    trusted_proxies: tuple[str, ...] = ()

    mtls_issuer: str | None = None
    """Base address of the endpoints where the edge asks for a client certificate, ``https://mtls.host/idp``
    (``mtls_endpoint_aliases``, RFC 8705 §5)."""
    mtls_ca_file: Path | None = None
    """Certification authorities (PEM) that vouch for clients of ``tls_client_auth``; without it there are none such."""
    outbound_ca_file: Path | None = None
    """Certification authorities for addresses that clients name, beside the system's."""
    outbound_loopback: bool = False
    """Fetch also from loopback addresses: for tests of relying parties on this machine."""

    connections_max: int = 10
    connections_wait_s: float = 0.8
    """How long a request waits for one of these connections to the database before it is told to come again."""
    password_threads: int = 2
    password_waiting_max: int = 64

    requests_per_minute_of_address: int = 6_000
    """To each endpoint of the protocol from one address; one may be a whole operator's customers. 0 is no limit."""
    requests_per_minute_of_client: int = 30_000
    """To each of them by a client that proved who it is."""
    requests_per_minute_of_public_client: int = 3_000
    """To each of them by a client that has nothing to prove itself with, from one address."""
    requests_per_minute_of_account: int = 600
    """To each of them with tokens of one citizen at one client."""
    registrations_per_minute_of_address: int = 60

    interaction_lifetime_s: int = 1_800
    code_lifetime_s: int = 60
    access_token_lifetime_s: int = 300
    refresh_token_lifetime_s: int = 30 * 86_400
    dpop_nonce_required: bool = False
    """Refuse DPoP proofs without a nonce of ours (RFC 9449 §8); each answer to a proof offers one either way."""
    session_idle_s: int = 900
    session_lifetime_s: int = 12 * 3_600
    activation_code_lifetime_s: int = 30 * 86_400
    one_time_code_lifetime_s: int = 600
    unfreeze_waiting_s: int = 86_400
    """A frozen identity is opened by its citizen's two factors after so long; at a desk at once."""
    recovery_wait_s: int = 72 * 3_600
    """How long whoever lost password and second factor waits, while every channel is told."""

    trust_frameworks: tuple[str, ...] = ("national_registration",)
    """By which rules claims were verified (``verified_claims``, Identity Assurance 1.0); the first is the usual one."""
    majority_years: int = 18
    """A guardian's mandate ends on this birthday of the represented."""
    breached_passwords: Path | None = None
    """A list of Have I Been Pwned: one sorted file of SHA-1 hashes, or a folder of one file a prefix."""
    sms_countries: tuple[str, ...] = ("+212",)
    """Beginnings of the numbers that get text messages; premium ranges and other countries cost what nobody planned."""
    sms_day_max: int = 100_000
    """Text messages a day, to everybody."""
    messages_at_once_max: int = 8
    """Sends of one channel that a worker has under way side by side."""

    demo_outbox: bool = False
    """Show the messages that were sent, to anybody: for the demo."""
    unthrottled_uids: tuple[str, ...] = ()
    """Named test citizens whose sign-ins are not counted."""

    @property
    def longest_token_lifetime_s(self) -> int:
        """So long something that we signed is believed: also an ID token that comes back as a hint."""
        return max(self.access_token_lifetime_s, self.session_lifetime_s)

    def __post_init__(self) -> None:
        if self.breached_passwords is not None and not self.breached_passwords.exists():
            raise ValueError("breached_passwords: there is no such file or folder")
        if not self.issuer.endswith("/idp"):
            raise ValueError("issuer: the provider lives under /idp")
        if len(self.secret) < 64 or not all(digit in "0123456789abcdefABCDEF" for digit in self.secret):
            raise ValueError("secret: at least 64 hexadecimal digits")
        if not 1 <= self.messages_at_once_max <= 100:
            raise ValueError("messages_at_once_max: from 1 to 100")
        if self.pkcs11_module is not None and not self.pkcs11_token:
            raise ValueError("pkcs11_token: the label of the token is needed")
        if self.pkcs11_module is not None and not self.pkcs11_pin:
            raise ValueError("pkcs11_pin: the PIN of the token is needed")
        if 0 < self.signing_key_lifetime_s < 2 * 86_400:
            raise ValueError("signing_key_lifetime_s: a key is announced for a day, so it serves at least two")

    def refused_in_production(self) -> Iterable[tuple[str, str]]:
        if not self.issuer.startswith("https://"):
            yield "issuer", "production needs an https address"
        if self.demo_outbox:
            yield "demo_outbox", "production must not show messages"
        if self.outbound_loopback:
            yield "outbound_loopback", "production must not fetch from its own host"
        if self.unthrottled_uids:
            yield "unthrottled_uids", "production throttles everybody"
        if len(set(self.secret)) < 8:
            yield "secret", "this is a default, not a secret; make one with: openssl rand -hex 32"
