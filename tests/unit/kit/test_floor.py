"""Identifiers, tokens, the audit: small parts that everything stands on."""

import hashlib
import re
import time
from typing import Literal

import asyncpg
import pytest

from kit.audit import Audit, AuditEvent
from kit.db import Database
from kit.ids import new_id, new_public_id
from kit.tokens import digest, new_token


def test_a_token_is_256_random_bits_and_its_digest_is_sha256() -> None:
    tokens = {new_token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)
    assert digest("abc") == hashlib.sha256(b"abc").digest()


def test_an_id_is_a_uuid_of_version_7_that_sorts_by_its_time_rfc9562_5_7() -> None:
    first = new_id()
    time.sleep(0.002)
    second = new_id()
    assert first < second
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert abs((first.int >> 80) / 1000 - time.time()) < 5


def test_a_public_id_is_crockford_base32() -> None:
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{25}", new_public_id()) for _ in range(100))


@pytest.mark.parametrize("schema", ["idp", "locker"])
async def test_an_audit_row_is_there_with_its_transaction_or_not_at_all(
    schema: Literal["idp", "locker"], idp_db: Database, locker_db: Database
) -> None:
    db = idp_db if schema == "idp" else locker_db
    event = AuditEvent(action="probe.made", actor_kind="system", owner="somebody", detail={"n": 1})
    await Audit(schema).append(db, event)

    async def fail() -> None:
        async with db.transaction() as tx:
            await Audit(schema).append(tx, event)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    rows = await db.fetch(f"SELECT action, detail, result FROM {schema}.audit WHERE owner = 'somebody'")
    assert [(row["action"], row["detail"], row["result"]) for row in rows] == [("probe.made", {"n": 1}, "ok")]


@pytest.mark.parametrize("statement", ["UPDATE {}.audit SET actor = ''", "DELETE FROM {}.audit", "TRUNCATE {}.audit"])
async def test_an_app_cannot_change_what_was_recorded(statement: str, idp_db: Database, locker_db: Database) -> None:
    for schema, db in (("idp", idp_db), ("locker", locker_db)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(statement.format(schema))
