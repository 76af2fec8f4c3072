"""Indexes and constraints set aside while a table is filled: sorted once at the end, not searched for each row."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from khizana.say import Progress

_SORTING = "SET maintenance_work_mem = '512MB'"


@dataclass(frozen=True)
class Aside:
    """Statements that make again what was there, in the order in which they may run."""

    keys: Sequence[str]
    """Primary keys, unique constraints and other indexes."""
    foreign_keys: Sequence[str]


async def set_aside(connection: Any, tables: Sequence[str]) -> Aside:
    """What ``tables`` have, and the foreign keys that point to them. In one transaction: all of it or nothing."""
    async with connection.transaction():
        foreign_keys = await connection.fetch(
            f"{_CONSTRAINTS} AND contype = 'f' AND (conrelid = ANY(of.ids) OR confrelid = ANY(of.ids))", tables
        )
        for each in foreign_keys:
            await connection.execute(each["remove"])
        keys = await connection.fetch(f"{_CONSTRAINTS} AND contype IN ('p', 'u') AND conrelid = ANY(of.ids)", tables)
        for each in keys:
            await connection.execute(each["remove"])
        # What is left belongs to no constraint.
        indexes = await connection.fetch(
            """
            SELECT 'DROP INDEX ' || i.indexrelid::regclass AS remove,
                   -- "ONLY" would leave the partitions without.
                   replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') AS make
              FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid = ANY($1::text[]::regclass[]::oid[]) AND NOT c.relispartition ORDER BY c.relname""",
            tables,
        )
        for each in indexes:
            await connection.execute(each["remove"])
    return Aside([each["make"] for each in (*keys, *indexes)], [each["make"] for each in foreign_keys])


async def put_back(owner_url: str, aside: Aside, connections: int) -> None:
    """Several at a time; foreign keys when the keys that they name are there."""
    progress = Progress("making indexes", len(aside.keys) + len(aside.foreign_keys))
    for statements in (aside.keys, aside.foreign_keys):
        waiting = list(reversed(statements))

        async def some(waiting: list[str] = waiting) -> None:
            connection = await asyncpg.connect(owner_url)
            try:
                await connection.execute(_SORTING)
                while waiting:
                    await connection.execute(waiting.pop())
                    progress.step(1)
            finally:
                await connection.close()

        await asyncio.gather(*(some() for _ in range(connections)))
    progress.finish()


_CONSTRAINTS = """
SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname) AS remove,
       'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' '
       || pg_get_constraintdef(oid) AS make
  FROM pg_constraint, (SELECT $1::text[]::regclass[]::oid[] AS ids) of
 WHERE conparentid = 0"""
