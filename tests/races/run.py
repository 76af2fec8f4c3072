"""Two acts of a locker in every order: what went wrong, in words."""

from collections.abc import Collection
from dataclasses import dataclass, field

from kit.errors import Refusal
from tests.interleaving import Act, Order, orders_of
from tests.races import issuer_acts, locker_acts, told_acts  # noqa: F401
from tests.races.acts import ACTS
from tests.races.scene import Scene, Stage, said, unavailable, wrong

AGAIN = "again"
"""For a second that is the first once more: a double click, a sender that repeats."""
ERASES = frozenset({"erase"})
ENDS = frozenset({"end_share", "end_all_shares", "erase"})
STOPS = frozenset({"revoke", "suspend"})
WORKERS = frozenset(
    {
        "batches_forgotten",
        "deliver",
        "judge",
        "judge_of_reference",
        "judge_of_two",
        "judge_successor",
        "make_export",
        "messages_forgotten",
        "reference_let_go",
        "retire",
        "seal_completed",
        "seals_forgotten",
        "settle_shares",
        "spread",
        "spread_to_client",
        "swept",
        "take_into_log",
        "uploads_emptied",
    }
)
"""Rounds of the worker: one that ends with a refusal leaves undone what came after it."""
SLOW = {
    "opened_picture": "get object",
    "opened_upload": "get object",
    "opened_upload_picture": "get object",
    "reference_opened": "UPDATE locker.reference",
}
"""Where what an opener looks at begins to take long."""
UNSHARES = frozenset({"upload_to_bin", "uploads_emptied", "upload_gone"})
OPENS = "WITH locker.share"
"""The one statement that opens."""


class NotTogether(Exception):
    """What the one needs, the other has taken away before either began."""


@dataclass
class Raced:
    orders: list[Order] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


async def race(stage: Stage, first: str, second: str, *, before: Collection[str] = ()) -> Raced:
    """Steps do stop (``steps_stop``); ``before`` these alone, if any are named."""
    raced = Raced()
    scene: Scene | None = None

    async def make() -> tuple[Act, Act]:
        nonlocal scene
        if scene is not None:
            await stage.put_right(scene)
        scene = await stage.scene()
        scene.again = "webhook_replayed" in (first, second)
        try:
            one = await ACTS[first](scene)
            return one, one if second == AGAIN else await ACTS[second](scene)
        except (AssertionError, Refusal) as why:
            await stage.put_right(scene)
            raise NotTogether(str(why)) from why

    async for order in orders_of(make, rows=stage.place.world.owner_db, cut=unavailable, before=before):
        assert scene is not None
        raced.orders.append(order)
        await stage.put_right(scene)
        found = [
            *await wrong(scene, order, erased=bool({first, second} & ERASES)),
            *_seen(order, first, second),
            *_cut_short(order, first, second),
            *_undone(order, first, second),
        ]
        raced.found += [f"{first} / {second}, {order}: {one}" for one in found]
    assert scene is not None
    await stage.put_right(scene)
    return raced


def _cut_short(order: Order, first: str, second: str) -> list[str]:
    answers = ((first, order.first), (first if second == AGAIN else second, order.second))
    return [
        f"a round ended with {said(answer)}"
        for name, answer in answers
        if name in WORKERS and isinstance(answer, Refusal)
    ]


def _undone(order: Order, first: str, second: str) -> list[str]:
    """What an officer disabled, its owner neither enables nor removes."""
    if first not in ("webhook_enabled", "webhook_removed") or second != "webhook_disabled_by_officer":
        return []
    undone = order.after("UPDATE locker.webhook") and order.first.status_code < 400
    return [f"an owner undid what an officer did: {said(order.first)}"] if undone else []


def _seen(order: Order, first: str, second: str) -> list[str]:
    """What was ended or stopped before the statement that opens gives nothing; nor before the last look at an opening,
    after all that takes long."""
    answer = order.first
    if first in SLOW and order.after(SLOW[first]) and answer.status_code < 400:
        is_upload = "upload" in first
        if second in ENDS or second in (UNSHARES if is_upload else STOPS):
            return [f"what had ended meanwhile was given: {said(answer)}"]
    if not order.after(OPENS) or not first.startswith("open_") or not hasattr(answer, "json"):
        return []
    if second in ENDS and answer.status_code < 400:
        return [f"what had ended was opened: {said(answer)}"]
    if second in STOPS and answer.status_code == 200:
        documents = answer.json()["documents"]
        if any(one["original"] or one["pictures"] or one["credential"] for one in documents):
            return ["what its issuer had stopped was shown"]
    return []
