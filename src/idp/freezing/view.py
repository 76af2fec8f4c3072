"""What the page of freezing shows: services that are connected, act for one that is, or are frozen; authenticators."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import msgspec

from idp.authenticators.methods import methods_of
from idp.authenticators.passkeys_of import passkeys_of
from idp.clients.names import names_of
from idp.consents.connected import connected_services
from idp.freezing import store
from idp.token.exchanged_by import exchanged_by
from kit.db import Tx
from kit.i18n import Message, _

_PASSWORD = _("Password")
_TOTP = _("Authenticator app")
_CODE = _("Code by message")
_RECOVERY = _("Recovery codes")


class Freezable(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """What it is frozen by: a ``client_id``, or an authenticator's name."""
    label: str | Message
    frozen_at: dt.datetime | None


class Freezables(msgspec.Struct, frozen=True, kw_only=True):
    services: Sequence[Freezable]
    authenticators: Sequence[Freezable]


async def freezables(tx: Tx, citizen_id: UUID, language: str) -> Freezables:
    frozen = {(held.kind, held.name): held.frozen_at for held in await store.select_of_citizen(tx, citizen_id)}
    connected = {service.client_id: service.name for service in await connected_services(tx, citizen_id, language)}
    held = {name for kind, name in frozen if kind == "service"} | set(await exchanged_by(tx, citizen_id))
    held -= connected.keys()
    labels = await names_of(tx, sorted(held), language) if held else {}
    methods = await methods_of(tx, citizen_id)
    set_up: list[tuple[str, str | Message]] = []
    if methods.password:
        set_up.append(("password", _PASSWORD))
    if methods.totp:
        set_up.append(("totp", _TOTP))
    if methods.code is not None:
        set_up.append(("code", _CODE))
    set_up += [(f"passkey:{passkey.passkey_id}", passkey.name) for passkey in await passkeys_of(tx, citizen_id)]
    if methods.recovery_codes:
        set_up.append(("recovery", _RECOVERY))
    return Freezables(
        services=[
            Freezable(name=client_id, label=label, frozen_at=frozen.get(("service", client_id)))
            for client_id, label in {**connected, **labels}.items()
        ],
        authenticators=[
            Freezable(name=name, label=label, frozen_at=frozen.get(("authenticator", name))) for name, label in set_up
        ],
    )
