from collections import Counter
from typing import get_args

from kit.db import Database
from locker.trust import list_store
from locker.trust.list_schema import ListState, ServiceShown

SERVICES_SHOWN_MAX = 200


async def show_services(db: Database, name: str) -> list[ServiceShown]:
    """Services of the lists in force whose name, or whose provider's, contains ``name``; at most 200."""
    return await list_store.services_named(db, name=name, count_max=SERVICES_SHOWN_MAX)


async def count_lists(db: Database) -> dict[str, int]:
    """By state, and ``failing``: those whose last try was refused, whatever their state."""
    shown = await list_store.shown(db)
    counts = Counter(found.state for found in shown)
    failing = sum(found.failure is not None for found in shown)
    return {**{state: counts[state] for state in get_args(ListState)}, "failing": failing}
