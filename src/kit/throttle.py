"""Counting attempts in PostgreSQL, so that all workers and nodes share one count."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from kit.db import Tx
from kit.errors import TooManyRequests
from kit.expired import forget


class Limit(msgspec.Struct, frozen=True):
    name: str
    attempts: int
    per_s: int


class Throttle:
    """Fixed windows in ``<schema>.throttle``: one upsert counts and answers, so racing attempts cannot both slip in."""

    def __init__(self, schema: Literal["idp", "locker"]) -> None:
        self._count = f"""
            INSERT INTO {schema}.throttle AS t (bucket, window_starts_at, attempts)
            VALUES ($1, to_timestamp(floor(extract(epoch FROM now()) / $2) * $2), 1)
            ON CONFLICT (bucket) DO UPDATE SET
                attempts = CASE WHEN t.window_starts_at = excluded.window_starts_at THEN t.attempts + 1 ELSE 1 END,
                window_starts_at = excluded.window_starts_at
            RETURNING attempts, extract(epoch FROM window_starts_at + make_interval(secs => $2) - now())::float8"""
        self._forget = f"DELETE FROM {schema}.throttle WHERE bucket = $1"
        self._give_back = f"UPDATE {schema}.throttle SET attempts = attempts - 1 WHERE bucket = $1 AND attempts > 0"
        self._attempts = f"""
            SELECT attempts FROM {schema}.throttle
             WHERE bucket = $1 AND window_starts_at = to_timestamp(floor(extract(epoch FROM now()) / $2) * $2)"""
        self._add = f"""
            INSERT INTO {schema}.throttle AS t (bucket, window_starts_at, attempts)
            SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::int[])
            ON CONFLICT (bucket) DO UPDATE SET
                attempts = excluded.attempts
                    + CASE WHEN t.window_starts_at = excluded.window_starts_at THEN t.attempts ELSE 0 END,
                window_starts_at = excluded.window_starts_at
             WHERE t.window_starts_at <= excluded.window_starts_at
            RETURNING bucket, extract(epoch FROM window_starts_at)::bigint, attempts"""
        self._table = f"{schema}.throttle"

    async def count(self, tx: Tx, limit: Limit, key: str, *, blocks: bool = True) -> bool:
        """Count one attempt; False, or TooManyRequests if it ``blocks``, once the window's attempts are used up."""
        row = await tx.fetchrow(self._count, f"{limit.name}:{key}", float(limit.per_s))
        assert row is not None
        if row[0] <= limit.attempts:
            return True
        if blocks:
            raise TooManyRequests(limit.name, retry_after_s=math.ceil(row[1]))
        return False

    async def attempts(self, tx: Tx, limit: Limit, key: str) -> int:
        """How many this window has seen; nothing is counted."""
        return await tx.fetchval(self._attempts, f"{limit.name}:{key}", float(limit.per_s)) or 0

    async def forget(self, tx: Tx, limit: Limit, key: str) -> None:
        """A success wipes the count of failures."""
        await tx.execute(self._forget, f"{limit.name}:{key}")

    async def give_back(self, tx: Tx, limit: Limit, key: str) -> None:
        """An attempt that turned out to be none, where many people share the key."""
        await tx.execute(self._give_back, f"{limit.name}:{key}")

    async def add(self, tx: Tx, counted: Sequence[tuple[str, int, int]]) -> dict[tuple[str, int], int]:
        """Bucket, start of its window and how many more there were, at most once each; the sums by bucket and window.

        One for a window that is over already is left out.
        """
        # Always in the same order, so that two that add together never wait for each other.
        ordered = sorted(counted)
        rows = await tx.fetch(
            self._add,
            [bucket for bucket, _, _ in ordered],
            [dt.datetime.fromtimestamp(window, dt.UTC) for _, window, _ in ordered],
            [count for _, _, count in ordered],
        )
        return {(row[0], row[1]): row[2] for row in rows}

    async def sweep(self, tx: Tx) -> None:
        await forget(tx, self._table, "window_starts_at < now() - interval '1 day'")
