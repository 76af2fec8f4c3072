"""Types, trust, clients and administrations: what officers register before anything can be deposited."""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from idp.clients import register as clients
from idp.clients.schema import ClientRegistration
from khizana.demo.country import ADMINISTRATIONS, TYPES, Administration, DocumentType, Names
from khizana.demo.kept import Kept
from khizana.demo.pki import Pki
from kit.audit import Audit
from kit.db import Database
from kit.jose import LocalKeySet, SigningKey
from locker.administrations.register import register as register_administration
from locker.administrations.schema import AdministrationRegistration
from locker.catalogue.register_type import register_type
from locker.catalogue.schema import TypeRegistration
from locker.trust.add import add as add_trust
from locker.trust.schema import TrustAddition

OFFICER = "demo"
BANK, WALLET = "demo-bank", "demo-wallet"
BANK_CALLBACK = "http://localhost:9000/callback"
WALLET_CALLBACK = "http://127.0.0.1:9001/callback"


def client_id_of(administration: str) -> str:
    return f"demo-{administration}"


def key_of(folder: Path, client_id: str) -> SigningKey:
    return SigningKey.load_or_create(folder / "keys" / f"{client_id}.pem", "ES256")


async def register_clients(db: Database, kept: Kept, folder: Path) -> None:
    """With the provider. A client that is there already is brought to this state; its secret is not told again."""
    audit = Audit("idp")
    for wanted in _clients(folder):
        registration = msgspec.convert(wanted, ClientRegistration)
        client_id = wanted["client_id"]
        try:
            answer = await clients.register(db, audit, registration, officer=OFFICER, production=False)
        except clients.ClientExists:
            await clients.update(db, audit, registration, officer=OFFICER, production=False)
        else:
            if "client_secret" in answer:
                kept.client_secrets[client_id] = answer["client_secret"]


async def register_in_locker(db: Database, pki: Pki) -> None:
    """Types before administrations, because an entitlement names its type."""
    audit = Audit("locker")
    for type_ in TYPES:
        await register_type(db, audit, msgspec.convert(_type(type_), TypeRegistration), officer=OFFICER)
    addition = TrustAddition(
        anchors=_encoded(pki.anchors), intermediates=_encoded(pki.intermediates), crls=_encoded(pki.crls)
    )
    await add_trust(db, audit, addition, officer=OFFICER)
    for administration in ADMINISTRATIONS:
        registration = msgspec.convert(_administration(administration, pki), AdministrationRegistration)
        await register_administration(db, audit, registration, officer=OFFICER)


def _type(type_: DocumentType) -> dict[str, Any]:
    return {
        "type": type_.code,
        "names": type_.names,
        "category": type_.category,
        "fields": type_.schema(),
        "validity_days": type_.validity_days,
        "retention_days": type_.retention_days,
    }


def _administration(administration: Administration, pki: Pki) -> dict[str, Any]:
    return {
        "administration": administration.identifier,
        "names": administration.names,
        "clients": [client_id_of(administration.identifier)],
        "types": [type_.code for type_ in TYPES if administration.identifier in type_.issuers],
        "seal_certificates": [pki.seals[administration.identifier].pem],
    }


def _encoded(materials: Iterable[bytes]) -> list[str]:
    return [base64.b64encode(der).decode("ascii") for der in materials]


def _clients(folder: Path) -> list[dict[str, Any]]:
    return [_machine(administration, folder) for administration in ADMINISTRATIONS] + [_bank(), _wallet()]


def _machine(administration: Administration, folder: Path) -> dict[str, Any]:
    client_id = client_id_of(administration.identifier)
    return {
        "client_id": client_id,
        **_named("client_name", administration.names),
        "profile": "machine",
        "sector": administration.identifier,
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "scope": "documents:deposit",
        "jwks": LocalKeySet([key_of(folder, client_id)]).jwks(),
    }


def _bank() -> dict[str, Any]:
    names = {
        "ar": "بنك الأطلس (نموذج للعرض)",
        "fr": "Banque de l’Atlas (démonstration)",
        "zgh": "ⵜⴰⵏⴱⴽⵉⵜ ⵏ ⵡⴰⵟⵍⴰⵙ",
        "en": "Atlas Bank (demonstration)",
    }
    purposes = {
        "ar": "لفتح حساب باسمكم",
        "fr": "Ouvrir un compte à votre nom",
        "zgh": "ⵉ ⵓⵔⵥⵥⵓⵎ ⵏ ⵓⵎⵉⴹⴰⵏ",
        "en": "To open an account in your name",
    }
    return {
        "client_id": BANK,
        **_named("client_name", names),
        **_named("purpose", purposes),
        "profile": "basic",
        "sector": "bank.example",
        "redirect_uris": [BANK_CALLBACK],
        "post_logout_redirect_uris": ["http://localhost:9000/"],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "RS256",
        "scope": "openid profile email phone address offline_access",
    }


def _wallet() -> dict[str, Any]:
    names = {
        "ar": "محفظتي (نموذج للعرض)",
        "fr": "Mon portefeuille (démonstration)",
        "zgh": "ⵜⴰⵙⵖⵔⵜ ⵉⵏⵓ",
        "en": "My Wallet (demonstration)",
    }
    purposes = {
        "ar": "لعرض وثائقكم ومشاركتها من هاتفكم",
        "fr": "Voir et partager vos documents depuis votre téléphone",
        "zgh": "ⵉ ⵜⵎⵓⵖⵍⵉ ⵏ ⵡⴰⵔⵔⴰⵜⵏ ⵏⵏⴽ",
        "en": "To see and share your documents from your phone",
    }
    return {
        "client_id": WALLET,
        **_named("client_name", names),
        **_named("purpose", purposes),
        "profile": "wallet",
        # The locker's own: whoever acts at its interface in a citizen's name knows the citizen as it does.
        "sector": "demo-wallet",
        "application_type": "native",
        "redirect_uris": [WALLET_CALLBACK, "org.example.wallet:/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile offline_access documents:read documents:share documents:upload",
    }


def _named(member: str, names: Names) -> dict[str, str]:
    """English is the untagged one."""
    return {member: names["en"], **{f"{member}#{language}": names[language] for language in ("ar", "fr", "zgh")}}
