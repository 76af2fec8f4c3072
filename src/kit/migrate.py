"""Plain SQL files, forward only, one transaction each, under one lock; psql can run them as well."""

import asyncio
import hashlib
import random
from pathlib import Path
from typing import Any

import asyncpg

LOCK = 0x6B68697A616E61  # "khizana"
LOCK_MS = 500
"""Who waits for a table makes everybody wait who comes after; so a migration waits shortly, and often."""
LOCK_TRIES = 60


class MigrationChanged(Exception):
    """A file that was applied reads differently now: history is never edited, write the next file instead."""


async def migrate(dsn: str, folder: Path, schema: str) -> list[str]:
    """Apply what is missing of ``folder`` in the order of names; the names applied. Many nodes may run it at once."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        # A session lock, on the one connection that lives as long as the migration: every other starter waits here.
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
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
            await _apply(
                connection, text, f"INSERT INTO {schema}.migration (name, sha256) VALUES ($1, $2)", file.name, sha256
            )
            fresh.append(file.name)
        return fresh
    finally:
        await connection.close()


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
