"""What the catalog says of the tables, read from a migrated database."""

import re
from collections import defaultdict

import pytest

from kit.db import Database

# Tables with a column ``owner`` whose key need not begin with it: read across owners by what is not a citizen.
AUDIT = {"audit", "audit_default"}

# Found by what a program holds that does not know the owner: a document's printed URI leads to its owner.
WITHOUT_OWNER_FIRST = {"document_uri"}

# Secrets that we show to somebody else and never accept as proof, so a digest would be of no use.
SHOWN_TO_THE_PROVIDER = {"locker.sign_in.code_verifier", "locker.session.id_token"}


async def citizens_tables(owner_db: Database) -> set[str]:
    rows = await owner_db.fetch(
        """
        SELECT c.relname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'locker' AND c.relkind IN ('r', 'p') AND a.attname = 'owner' AND NOT a.attisdropped"""
    )
    return {row["relname"] for row in rows} - AUDIT


async def test_a_citizens_table_has_its_owner_first_in_its_key(owner_db: Database) -> None:
    rows = await owner_db.fetch(
        """
        SELECT c.relname::text AS table, a.attname::text AS first
          FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
         WHERE n.nspname = 'locker' AND k.contype = 'p'"""
    )
    first = {row["table"]: row["first"] for row in rows}
    tables = await citizens_tables(owner_db)
    assert tables, "no table has an owner any more"
    assert {table for table in tables if first.get(table) != "owner"} == WITHOUT_OWNER_FIRST


async def test_every_unique_and_every_foreign_key_of_a_citizens_table_holds_the_owner(owner_db: Database) -> None:
    tables = await citizens_tables(owner_db)
    rows = await owner_db.fetch(
        """
        SELECT c.relname::text AS table, x.relname::text AS name,
               array_agg(a.attname::text ORDER BY a.attnum) AS columns
          FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
         WHERE n.nspname = 'locker' AND i.indisunique GROUP BY 1, 2
         UNION ALL
        SELECT c.relname::text, k.conname::text, array_agg(a.attname::text ORDER BY a.attnum)
          FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(k.conkey)
         WHERE n.nspname = 'locker' AND k.contype = 'f'
           AND EXISTS (SELECT 1 FROM pg_attribute o WHERE o.attrelid = f.oid AND o.attname = 'owner')
         GROUP BY 1, 2"""
    )
    without = {row["table"] for row in rows if row["table"] in tables and "owner" not in row["columns"]}
    assert without == WITHOUT_OWNER_FIRST


@pytest.mark.parametrize("app", ["idp", "locker"])
async def test_an_apps_role_reaches_nothing_of_the_other_and_makes_nothing(owner_db: Database, app: str) -> None:
    other = "locker" if app == "idp" else "idp"
    assert await owner_db.fetchval("SELECT has_schema_privilege($1, $2, 'USAGE')", app, app)
    assert not await owner_db.fetchval("SELECT has_schema_privilege($1, $2, 'USAGE')", app, other)
    assert not await owner_db.fetchval("SELECT has_schema_privilege($1::text, $2::text, 'CREATE')", app, app)
    rows = await owner_db.fetch(
        "SELECT table_name FROM information_schema.role_table_grants WHERE grantee = $1 AND table_schema = $2",
        app,
        other,
    )
    assert [row["table_name"] for row in rows] == []


@pytest.mark.parametrize("app", ["idp", "locker"])
async def test_an_audit_row_can_be_written_and_read_and_nothing_else(owner_db: Database, app: str) -> None:
    rows = await owner_db.fetch(
        """
        SELECT privilege_type FROM information_schema.role_table_grants
         WHERE grantee = $1 AND table_schema = $1 AND table_name LIKE 'audit%'""",
        app,
    )
    assert {row["privilege_type"] for row in rows} == ({"INSERT", "SELECT"} if app == "idp" else {"SELECT"})


async def test_the_locker_writes_audit_rows_and_the_database_dates_them(owner_db: Database) -> None:
    rows = await owner_db.fetch(
        """
        SELECT c.column_name::text AS name,
               has_column_privilege('locker', 'locker.audit', c.column_name, 'INSERT') AS may
          FROM information_schema.columns c WHERE c.table_schema = 'locker' AND c.table_name = 'audit'"""
    )
    assert {row["name"] for row in rows if not row["may"]} == {"at"}


async def test_the_schemas_use_no_extension_no_enum_and_no_sequence(owner_db: Database) -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for row in await owner_db.fetch("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"):
        found["extension"].append(row["extname"])
    for row in await owner_db.fetch("SELECT typname FROM pg_type WHERE typtype = 'e'"):
        found["enum"].append(row["typname"])
    for row in await owner_db.fetch("SELECT sequencename FROM pg_sequences WHERE schemaname IN ('idp', 'locker')"):
        found["sequence"].append(row["sequencename"])
    assert found == {}


async def test_every_time_knows_its_zone(owner_db: Database) -> None:
    rows = await owner_db.fetch(
        """
        SELECT table_schema || '.' || table_name || '.' || column_name AS name FROM information_schema.columns
         WHERE table_schema IN ('idp', 'locker') AND data_type = 'timestamp without time zone'"""
    )
    assert [row["name"] for row in rows] == []


async def test_what_holds_a_bearer_secret_holds_its_digest(owner_db: Database) -> None:
    """A column named after a secret is named after its digest, its MAC or its sealed form, and is bytes."""
    rows = await owner_db.fetch(
        """
        SELECT table_schema || '.' || table_name || '.' || column_name AS name, data_type
          FROM information_schema.columns WHERE table_schema IN ('idp', 'locker')"""
    )
    secret = re.compile(r"\.(?:\w+_)?(?:token|code|password|secret|pin|verifier)$")
    assert {row["name"] for row in rows if secret.search(row["name"])} == SHOWN_TO_THE_PROVIDER


async def test_the_provider_finds_a_citizen_in_each_table_by_an_index(owner_db: Database) -> None:
    """As an erasure looks for them (``idp.erase_citizen``), whose columns these are."""
    rows = await owner_db.fetch(
        """
        SELECT format('%s.%s', c.relname, a.attname) AS named, i.indpred IS NULL AS whole,
               pg_get_expr(i.indpred, i.indrelid) = format('(%s IS NOT NULL)', a.attname) AS of_those_that_name
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'idp'
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped
                             AND a.attname ~ '(^|_)citizen_id$|^(represented_id|actor_id|acting_chosen_by)$'
          LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indkey[0] = a.attnum
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"""
    )
    named = {row["named"] for row in rows}
    assert len(named) > 20
    found = {row["named"] for row in rows if row["whole"] or row["of_those_that_name"]}
    assert named == found
