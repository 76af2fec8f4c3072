from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from kit.jobs.store import Jobs
from locker.access.bearer import ClientCaller
from locker.home.body import decoded
from locker.problem import problems
from locker.webhooks import disable as state
from locker.webhooks import replay as replaying
from locker.webhooks.find import acting, find, list_messages, list_webhooks, owner_of
from locker.webhooks.openapi import RegisterOperation, ReplayOperation
from locker.webhooks.register import register
from locker.webhooks.remove import remove
from locker.webhooks.rotate import rotate
from locker.webhooks.schema import (
    Actor,
    Message,
    MessageState,
    NewWebhook,
    Replay,
    Replayed,
    Webhook,
    WebhookWithKeys,
)
from locker.webhooks.sealed_keys import SealedKeys
from locker.wiring import Wiring

_OPT = {"scope": "webhooks:manage"}
_TAGS = ["webhooks"]
_JOBS = Jobs("locker")


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    webhooks: list[Webhook]


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    messages: list[Message]


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    message_id: str


@post(
    "/v1/webhooks",
    operation_id="RegisterWebhook",
    operation_class=RegisterOperation,
    status_code=201,
    responses=problems(400, 401, 403, 409, 422, 429, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def register_webhook(
    request: Request[Any, Any, Any], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> WebhookWithKeys:
    """Be told of your documents, or of what was shared with you (scope ``webhooks:manage``). Keys are said once."""
    new = await decoded(request, NewWebhook)
    return await register(
        wiring.db,
        wiring.audit,
        SealedKeys(wiring.settings.secret),
        new,
        owner=await acting(wiring.db, wiring.throttle, client_id=client.client_id),
        actor=_actor(client),
        loopback_allowed=wiring.settings.outbound_loopback,
    )


@get("/v1/webhooks", operation_id="ListWebhooks", responses=problems(401, 403, 503), opt=_OPT, tags=_TAGS)
async def webhooks(wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]) -> Webhooks:
    """Yours, the newest first."""
    owner = await owner_of(wiring.db, client_id=client.client_id)
    return Webhooks(webhooks=await list_webhooks(wiring.db, owner=owner))


@get(
    "/v1/webhooks/{webhook_id:str}",
    operation_id="ReadWebhook",
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def read_webhook(
    webhook_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Webhook:
    """Whether it is active, and since when it fails."""
    owner = await owner_of(wiring.db, client_id=client.client_id)
    return await find(wiring.db, webhook_id, owner=owner)


@get(
    "/v1/webhooks/{webhook_id:str}/messages",
    operation_id="ListWebhookMessages",
    responses=problems(400, 401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def messages(
    webhook_id: FromPath[str],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
    only: Annotated[MessageState | None, QueryParameter(name="state")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
) -> Messages:
    """What was to be told and what became of it, the newest first."""
    owner = await owner_of(wiring.db, client_id=client.client_id)
    return Messages(messages=await list_messages(wiring.db, webhook_id, owner=owner, state=only, limit=limit))


@post(
    "/v1/webhooks/{webhook_id:str}/rotate",
    operation_id="RotateWebhookKeys",
    status_code=200,
    responses=problems(401, 403, 404, 409, 429, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def rotate_keys(
    webhook_id: FromPath[str],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
    overlap_s: Annotated[int | None, QueryParameter(ge=0, le=604_800)] = None,
) -> WebhookWithKeys:
    """New keys. Messages are signed with the old ones too, for ``overlap_s`` (else a day): 0 after a key was lost."""
    return await rotate(
        wiring.db,
        wiring.audit,
        SealedKeys(wiring.settings.secret),
        webhook_id,
        owner=await acting(wiring.db, wiring.throttle, client_id=client.client_id),
        actor=_actor(client),
        overlap_s=wiring.settings.webhook_key_overlap_s if overlap_s is None else overlap_s,
    )


@post(
    "/v1/webhooks/{webhook_id:str}/replay",
    operation_id="ReplayWebhookMessages",
    operation_class=ReplayOperation,
    status_code=200,
    responses=problems(400, 401, 403, 404, 409, 422, 429, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def replay(
    webhook_id: FromPath[str],
    request: Request[Any, Any, Any],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
) -> Replayed:
    """Have messages sent again under the same ``webhook-id``; at most a thousand, the oldest first."""
    asked = await decoded(request, Replay)
    owner = await acting(wiring.db, wiring.throttle, client_id=client.client_id)
    return await replaying.replay(wiring.db, wiring.audit, _JOBS, webhook_id, asked, owner=owner, actor=_actor(client))


@post(
    "/v1/webhooks/{webhook_id:str}/test",
    operation_id="TestWebhook",
    status_code=202,
    responses=problems(401, 403, 404, 409, 429, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def test_webhook(
    webhook_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Tested:
    """Have a message of the type ``webhook.test`` sent."""
    owner = await acting(wiring.db, wiring.throttle, client_id=client.client_id)
    message_id = await replaying.send_test(
        wiring.db, wiring.audit, _JOBS, webhook_id, owner=owner, actor=_actor(client)
    )
    return Tested(message_id=message_id)


@post(
    "/v1/webhooks/{webhook_id:str}/disable",
    operation_id="DisableWebhook",
    status_code=200,
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def disable_webhook(
    webhook_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Webhook:
    """Nothing more is sent; what happens meanwhile is kept for a replay."""
    owner = await owner_of(wiring.db, client_id=client.client_id)
    return await state.disable(wiring.db, wiring.audit, webhook_id, owner=owner, actor=_actor(client))


@post(
    "/v1/webhooks/{webhook_id:str}/enable",
    operation_id="EnableWebhook",
    status_code=200,
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def enable_webhook(
    webhook_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Webhook:
    """Also after it was disabled because it failed or answered 410."""
    owner = await owner_of(wiring.db, client_id=client.client_id)
    return await state.enable(wiring.db, wiring.audit, webhook_id, owner=owner, actor=_actor(client))


@delete(
    "/v1/webhooks/{webhook_id:str}",
    operation_id="RemoveWebhook",
    status_code=204,
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def remove_webhook(
    webhook_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> None:
    """For good. Nothing more is sent, its keys are gone, and it does not count among your ten."""
    owner = await owner_of(wiring.db, client_id=client.client_id)
    await remove(wiring.db, wiring.audit, webhook_id, owner=owner, actor=_actor(client))


def _actor(client: ClientCaller) -> Actor:
    return Actor(kind="client", name=client.client_id)


ROUTES: list[Any] = [
    register_webhook,
    webhooks,
    read_webhook,
    messages,
    rotate_keys,
    replay,
    test_webhook,
    disable_webhook,
    enable_webhook,
    remove_webhook,
]
