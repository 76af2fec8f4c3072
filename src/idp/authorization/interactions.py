import re
from uuid import UUID

import msgspec

from idp.authorization import store
from idp.authorization.schema import AuthorizationRequest, Interaction
from idp.clients.schema import ClientMetadata
from kit.db import Tx

_INTERACTION_ID = re.compile(r"[A-Za-z0-9_-]{43}")


async def load(tx: Tx, interaction_id: str, browser_sha256: bytes) -> Interaction | None:
    """None for unknown, expired, finished, another browser's, or a client that has been disabled since."""
    if not _INTERACTION_ID.fullmatch(interaction_id):
        return None
    row = await store.select_interaction(tx, interaction_id, browser_sha256=browser_sha256)
    if row is None:
        return None
    request = msgspec.convert(row["request"], AuthorizationRequest)
    metadata = msgspec.convert(row["metadata"], ClientMetadata)
    return Interaction(
        interaction_id=row["interaction_id"],
        client_id=row["client_id"],
        client_name=metadata.names(),
        purpose=metadata.purposes() or None,
        acr_needed=request.acr_needed,
        login_hint=request.login_hint,
        ui_locales=request.ui_locales,
        reauthenticate=bool({"login", "select_account"} & set(request.prompt)) or request.max_age is not None,
        created_at=row["created_at"],
        confirmed_at=row["confirmed_at"],
        request=request,
        redirect_host=request.redirect_host,
        about=metadata.about(row["client_id"]),
        representation_allowed=metadata.representation_allowed,
        acting_chosen_by=row["acting_chosen_by"],
        acting_mandate_id=row["acting_mandate_id"],
    )


async def choose_whom(
    tx: Tx, interaction_id: str, browser_sha256: bytes, *, chosen_by: UUID, mandate_id: UUID | None
) -> bool:
    """For whom this person acts in this request; None is themselves. False for an interaction that is over."""
    return await store.choose_whom(
        tx, interaction_id, browser_sha256=browser_sha256, chosen_by=chosen_by, mandate_id=mandate_id
    )
