"""Plain SQL files, forward only, under one lock; psql can run them as well. Each is one transaction, or makes and drops
indexes alone, while everybody else goes on writing."""

import asyncio
import hashlib
import random
import re
from pathlib import Path
from typing import Any

import asyncpg

LOCK = 0x6B68697A616E61  # "khizana"
LOCK_MS = 500
"""Who waits for a table makes everybody wait who comes after; so a migration waits shortly, and often."""
LOCK_TRIES = 60

CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)
INDEX = re.compile(
    r"(?:CREATE(?: UNIQUE)? INDEX CONCURRENTLY IF NOT EXISTS|DROP INDEX CONCURRENTLY IF EXISTS)"
    r" (?:\w+\.)?(?P<name>\w+)\b",
    re.IGNORECASE,
)


class MigrationChanged(Exception):
    """A file that was applied reads differently now: history is never edited, write the next file instead."""


class MigrationMixed(Exception):
    """A file that says CONCURRENTLY may do nothing else, and each of its statements must be safe to repeat: they run
    one by one in no transaction, so that a process that is killed leaves some of them done."""


async def migrate(dsn: str, folder: Path, schema: str) -> list[str]:
    """Apply what is missing of ``folder`` in the order of names; the names applied. Many nodes may run it at once."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        # A session lock, on the one connection that lives as long as the migration: every other starter waits here. Not
        # in a statement, whose snapshot an index that is made concurrently would wait for, and so each for the other.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110 - it is PostgreSQL's
            await asyncio.sleep(random.uniform(0.05, 0.2))  # noqa: S311 - jitter, not a secret
        await connection.execute(
            f"""
            CREATE SCHEMA IF NOT EXISTS {schema};
            CREATE TABLE IF NOT EXISTS {schema}.migration (
                name text PRIMARY KEY, sha256 bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""
        )
        applied = {
            row["name"]: row["sha256"] for row in await connection.fetch(f"SELECT name, sha256 FROM {schema}.migration")
        }
        fresh = []
        for file in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")):
            text = file.read_text(encoding="utf-8")
            sha256 = hashlib.sha256(text.encode()).digest()
            if file.name in applied:
                if applied[file.name] != sha256:
                    raise MigrationChanged(file.name)
                continue
            noted = f"INSERT INTO {schema}.migration (name, sha256) VALUES ($1, $2)"
            if indexes := _indexes(file.name, text):
                for name, statement in indexes:
                    await _apply_concurrently(connection, schema, name, statement)
                await connection.execute(noted, file.name, sha256)
            else:
                await _apply(connection, text, noted, file.name, sha256)
            fresh.append(file.name)
        return fresh
    finally:
        await connection.close()


def _indexes(file: str, text: str) -> list[tuple[str, str]]:
    """Name and statement of each index of a file that says CONCURRENTLY. Raises MigrationMixed."""
    bare = re.sub(r"--[^\n]*", "", text)
    if not CONCURRENTLY.search(bare):
        return []
    statements = [" ".join(statement.split()) for statement in bare.split(";") if statement.strip()]
    named = [(INDEX.match(statement), statement) for statement in statements]
    if not all(match for match, _ in named):
        raise MigrationMixed(file)
    return [(match["name"], statement) for match, statement in named if match]


async def _apply_concurrently(connection: "asyncpg.Connection[Any]", schema: str, name: str, statement: str) -> None:
    # Of one that was killed half-way: it is there, is kept up to date, and serves nobody.
    half = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                         JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname = $1 AND c.relname = $2 AND NOT i.indisvalid)""",
        schema,
        name,
    )
    if half:
        await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema}.{name}")
    await connection.execute(statement)


async def _apply(connection: "asyncpg.Connection[Any]", text: str, noted: str, *arguments: Any) -> None:
    for attempt in range(1, LOCK_TRIES + 1):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_MS}ms'")
                await connection.execute(text)
                await connection.execute(noted, *arguments)
        except asyncpg.LockNotAvailableError:
            if attempt == LOCK_TRIES:
                raise
            await asyncio.sleep(random.uniform(0.2, 1))  # noqa: S311 - jitter, not a secret
        else:
            return


async def pending(dsn: str, folder: Path, schema: str) -> list[str]:
    """Names in ``folder`` that the database does not have yet."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.migration") is None:
            applied: set[str] = set()
        else:
            applied = {row["name"] for row in await connection.fetch(f"SELECT name FROM {schema}.migration")}
    finally:
        await connection.close()
    return [file.name for file in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")) if file.name not in applied]
