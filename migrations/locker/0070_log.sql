-- The audit as a log that anyone can check: docs/log.md.

-- Rows of the audit without an index yet. A trigger writes them with the row itself, so no caller can forget, and a
-- transaction that commits late is taken late instead of being stepped over.
CREATE TABLE locker.log_waiting (
    at       timestamptz NOT NULL,
    audit_id uuid        NOT NULL,
    PRIMARY KEY (at, audit_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE FUNCTION locker.queue_for_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO locker.log_waiting (at, audit_id) VALUES (NEW.at, NEW.audit_id);
    RETURN NULL;
END $$;
CREATE TRIGGER queue_for_log AFTER INSERT ON locker.audit FOR EACH ROW EXECUTE FUNCTION locker.queue_for_log();

-- One row: how far the log is, and which worker leads.
CREATE TABLE locker.log_head (
    one            boolean     PRIMARY KEY DEFAULT true CHECK (one),
    size           bigint      NOT NULL DEFAULT 0,             -- leaves that have an index
    published      bigint      NOT NULL DEFAULT 0 CHECK (published <= size),  -- leaves under the newest checkpoint
    checkpoint     text,                                       -- the newest, as it is served
    verifier_key   text,                                       -- its key: another one never signs here
    leader         uuid,
    leader_until   timestamptz,
    backfill_at    timestamptz NOT NULL DEFAULT '2000-01-01 00:00Z',
    backfill_id    uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    backfill_until timestamptz                                 -- rows older than the trigger; NULL: all are queued
);
-- The trigger above waited for every transaction that wrote without it, so whatever it missed is older than now.
INSERT INTO locker.log_head (backfill_until) VALUES (clock_timestamp());

-- One leaf for each row of the audit; what its entry bundle says. It names no citizen.
CREATE TABLE locker.log_leaf (
    leaf_index bigint      PRIMARY KEY,
    at         timestamptz,                                    -- with audit_id the key of the row; NULL: the row was
    audit_id   uuid        UNIQUE,                             -- lost with a database, only the leaf is left of it
    commitment bytea       NOT NULL CHECK (octet_length(commitment) = 32)
);

-- What opens a leaf: destroyed with its owner.
CREATE TABLE locker.log_entry (
    owner      text   NOT NULL,                                -- '' where the row concerns no citizen
    number     bigint NOT NULL,                                -- 1, 2, … for each owner: a missing line is seen
    leaf_index bigint NOT NULL,
    audit_id   uuid   NOT NULL,
    nonce      bytea  NOT NULL CHECK (octet_length(nonce) = 32),
    PRIMARY KEY (owner, number),
    UNIQUE (owner, audit_id)
);

-- The tree's tiles above the leaves (level 1 and more), 32 bytes a hash; the last of each level grows.
CREATE TABLE locker.log_tile (
    level  smallint NOT NULL CHECK (level > 0),
    tile   bigint   NOT NULL,
    hashes bytea    NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
    PRIMARY KEY (level, tile)
);

-- The first checkpoint of each hour, kept as evidence of what was signed.
CREATE TABLE locker.log_checkpoint (
    hour timestamptz PRIMARY KEY,
    size bigint      NOT NULL,
    note text        NOT NULL
);

GRANT SELECT, INSERT, DELETE ON locker.log_waiting TO locker;
GRANT SELECT, UPDATE ON locker.log_head TO locker;
GRANT SELECT, INSERT ON locker.log_leaf, locker.log_entry, locker.log_checkpoint TO locker;
GRANT SELECT, INSERT, UPDATE ON locker.log_tile TO locker;

-- The one way in which the app changes the audit: it cannot choose rows, columns or values, only an owner. It runs as
-- the tables' owner because the app's role may neither update the audit nor delete an entry.
CREATE FUNCTION locker.forget_log_of(who text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    IF coalesce(who, '') = '' THEN
        RAISE EXCEPTION 'forget_log_of needs an owner';
    END IF;
    -- The sequencer holds this row while it makes entries: none of this owner appears after they are gone.
    PERFORM 1 FROM locker.log_head WHERE one FOR UPDATE;
    DELETE FROM locker.log_entry WHERE owner = who;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    UPDATE locker.audit
       SET action = 'erased', actor_kind = 'system', actor = '', owner = NULL, object_id = NULL, purpose = NULL,
           result = 'erased', detail = '{}'
     WHERE owner = who;
    RETURN forgotten;
END $$;
REVOKE ALL ON FUNCTION locker.forget_log_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION locker.forget_log_of(text) TO locker;

-- What the log says of itself: how many leaves were forgotten, or lost with a database.
CREATE INDEX audit_of_the_log ON locker.audit (at) WHERE action IN ('log.forgotten', 'log.adopted');

-- Months ahead. Rows that came before their month had a partition stay in the default one. Its lock stops every writer
-- of the audit, so it does not wait long for it.
CREATE FUNCTION locker.make_audit_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name  text := 'audit_' || to_char(first, 'YYYY_MM');
BEGIN
    IF first NOT BETWEEN (now() AT TIME ZONE 'UTC')::date AND (now() AT TIME ZONE 'UTC')::date + 100 THEN
        RAISE EXCEPTION 'only months ahead are made';
    END IF;
    IF to_regclass('locker.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE locker.%I PARTITION OF locker.audit FOR VALUES FROM (%L) TO (%L)', name,
                   first::text || ' 00:00Z', (first + interval '1 month')::date::text || ' 00:00Z');
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION locker.make_audit_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION locker.make_audit_partition(date) TO locker;
