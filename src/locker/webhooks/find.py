from kit.db import Tx
from kit.throttle import Limit, Throttle
from locker.administrations.identify import identify
from locker.administrations.refusals import NotAnAdministration
from locker.webhooks import store
from locker.webhooks.refusals import WebhookUnknown
from locker.webhooks.schema import Message, MessageState, Owner, Webhook

LISTED_MAX = 1_000
CALLS = Limit("webhook-calls", attempts=60, per_s=60)


async def owner_of(tx: Tx, *, client_id: str) -> Owner:
    """The administration for which a client speaks, else the client itself. Raises AdministrationSuspended."""
    try:
        return Owner(administration=(await identify(tx, client_id=client_id)).administration)
    except NotAnAdministration:
        return Owner(client_id=client_id)


async def acting(tx: Tx, throttle: Throttle, *, client_id: str) -> Owner:
    """The same for what makes something be sent: nobody turns us on a receiver. Raises TooManyRequests."""
    owner = await owner_of(tx, client_id=client_id)
    await throttle.count(tx, CALLS, owner.name)
    return owner


async def find(tx: Tx, webhook_id: str, *, owner: Owner | None) -> Webhook:
    found = await store.find(tx, webhook_id=webhook_id, owner=owner)
    if found is None:
        raise WebhookUnknown
    return found


async def list_webhooks(tx: Tx, *, owner: Owner | None) -> list[Webhook]:
    """The newest first; ``owner`` None: everybody's, for an officer."""
    return await store.listed(tx, owner=owner, limit=LISTED_MAX)


async def list_messages(
    tx: Tx, webhook_id: str, *, owner: Owner | None, state: MessageState | None, limit: int
) -> list[Message]:
    await find(tx, webhook_id, owner=owner)
    return await store.messages(tx, webhook_id=webhook_id, state=state, limit=limit)
