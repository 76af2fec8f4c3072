"""Millions of rows, by COPY: citizens, their keys, their documents and what was done with each.

Each row is one that the product wrote, with other identifiers: as wide, as indexed and as random as in a country's
database. Objects are not made: nobody opens a seeded document.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench.aside import put_back, set_aside
from khizana.say import Progress, say

PORTION = 5_000
"""Citizens whose rows go in one transaction."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Seeded:
    citizens: int
    documents: int
    documents_in_all: int
    """With those that were there before."""
    seconds: float
    database_bytes: int


@dataclass(frozen=True)
class _Template:
    """A row as COPY writes it, cut where another row differs."""

    table: str
    columns: Sequence[str]
    values: Sequence[str]

    def rows(self, **changed: Callable[[Any], str]) -> Callable[[Any], str]:
        """From what one row is made of to its line."""
        parts = [changed.get(column, value) for column, value in zip(self.columns, self.values, strict=True)]

        def line(of: Any) -> str:
            return "\t".join(part if isinstance(part, str) else part(of) for part in parts) + "\n"

        return line


@dataclass(frozen=True)
class _Citizen:
    owner: str
    citizen_id: str
    uid: str
    documents: tuple[str, ...]


async def seed(owner_url: str, *, citizens: int, documents_each: int, connections: int = 2) -> Seeded:
    """``owner_url`` is of the role that owns the tables; a document, its citizen and its line must be there already."""
    began = time.perf_counter()
    progress = Progress("seeding citizens", citizens)
    first = await asyncpg.connect(owner_url)
    try:
        templates = {
            "citizen": await _template(first, "idp.citizen", "true"),
            "key": await _template(first, "locker.citizen_key", "wrapped_key IS NOT NULL"),
            "holding": await _template(first, "locker.holding", "true"),
            "document": await _template(first, "locker.document", "replaces IS NULL AND replaced_by IS NULL"),
            "uri": await _template(first, "locker.document_uri", "true"),
            "line": await _template(first, "locker.audit", "action = 'document.deposited' AND owner IS NOT NULL"),
        }
        uids = _uids()
        waiting = list(range(0, citizens, PORTION))

        async def portions() -> None:
            connection = await asyncpg.connect(owner_url)
            try:
                while waiting:
                    many = min(PORTION, citizens - waiting.pop())
                    made = [_citizen(next(uids), documents_each) for _ in range(many)]
                    await _write(connection, templates, made)
                    progress.step(many)
            finally:
                await connection.close()

        # What is seeded was never under the log's eyes.
        await first.execute("ALTER TABLE locker.audit DISABLE TRIGGER USER")
        aside = await set_aside(first, [template.table for template in templates.values()])
        try:
            await asyncio.gather(*(portions() for _ in range(connections)))
            progress.finish()
        finally:
            await put_back(owner_url, aside, connections)
            await first.execute("ALTER TABLE locker.audit ENABLE TRIGGER USER")
        say("vacuuming")
        # As a database that grew in years was long before: else autovacuum would do it while the measures run.
        await first.execute("VACUUM (ANALYZE)")
        seconds = time.perf_counter() - began
        in_all = await first.fetchval("SELECT count(*) FROM locker.document")
        size = await first.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await first.close()
    return Seeded(citizens, citizens * documents_each, in_all, seconds, size)


async def _template(connection: Any, table: str, condition: str) -> _Template:
    lines: list[bytes] = []

    async def keep(data: bytes) -> None:
        lines.append(data)

    names = await connection.fetch(
        """
        SELECT attname FROM pg_attribute
         WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum""",
        table,
    )
    await connection.copy_from_query(f"SELECT * FROM {table} WHERE {condition} LIMIT 1", output=keep)
    line = b"".join(lines).decode().removesuffix("\n")
    if not line:
        raise LookupError(f"{table} has no row to make others of")
    return _Template(table, [row["attname"] for row in names], line.split("\t"))


def _citizen(uid: str, documents: int) -> _Citizen:
    # Hexadecimal digits are digits of Crockford's alphabet too.
    ids = secrets.token_hex(16 * documents).upper()
    return _Citizen(
        owner=secrets.token_urlsafe(32),
        citizen_id=secrets.token_hex(16),
        uid=uid,
        documents=tuple(ids[32 * number : 32 * number + 25] for number in range(documents)),
    )


def _uids() -> Iterator[str]:
    """From the upper end of the numbers, where nobody was enrolled by chance."""
    yield from (str(number) for number in range(9_999_999_999, 2_000_000_000, -1))


async def _write(connection: Any, templates: dict[str, _Template], citizens: Sequence[_Citizen]) -> None:
    documents = [(citizen, document_id) for citizen in citizens for document_id in citizen.documents]
    document, uri = templates["document"], templates["uri"]
    prefix = uri.values[list(uri.columns).index("uri")].rpartition("-")[0]
    lines: list[tuple[_Template, Callable[[Any], str], Sequence[Any]]] = [
        (
            templates["citizen"],
            templates["citizen"].rows(
                citizen_id=lambda one: one.citizen_id,
                uid=lambda one: one.uid,
                cnie_blind=lambda _: "\\\\x" + secrets.token_hex(32),
                external_reference=lambda _: "\\N",
            ),
            citizens,
        ),
        (templates["key"], templates["key"].rows(owner=lambda one: one.owner), citizens),
        (
            templates["holding"],
            templates["holding"].rows(owner=lambda one: one.owner, documents=lambda one: str(len(one.documents))),
            citizens,
        ),
        (
            document,
            document.rows(
                owner=lambda one: one[0].owner,
                document_id=lambda one: one[1],
                chain_id=lambda one: one[1],
                uri=lambda one: f"{prefix}-{one[1]}",
                object_key=lambda one: one[1].lower(),
            ),
            documents,
        ),
        (
            uri,
            uri.rows(
                document_id=lambda one: one[1],
                uri=lambda one: f"{prefix}-{one[1]}",
                owner=lambda one: one[0].owner,
            ),
            documents,
        ),
        (
            templates["line"],
            templates["line"].rows(
                audit_id=lambda one: secrets.token_hex(16), owner=lambda one: one[0].owner, object_id=lambda one: one[1]
            ),
            documents,
        ),
    ]
    async with connection.transaction():
        for template, line, rows in lines:
            schema, _, table = template.table.partition(".")
            await connection.copy_to_table(
                table, schema_name=schema, columns=template.columns, source=_chunks(line, rows), format="text"
            )


async def _chunks(line: Callable[[Any], str], rows: Sequence[Any]) -> AsyncIterator[bytes]:
    chunk: list[str] = []
    length = 0
    for row in rows:
        chunk.append(line(row))
        length += len(chunk[-1])
        if length >= _CHUNK_BYTES:
            yield "".join(chunk).encode()
            chunk, length = [], 0
    yield "".join(chunk).encode()
