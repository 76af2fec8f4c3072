-- A document that a court or an authority needs: neither retention nor erasure takes it. The foreign key says so too.
CREATE TABLE locker.legal_hold (
    owner       text        NOT NULL,
    document_id text        NOT NULL,
    reference   text        NOT NULL,                          -- of the order
    placed_by   text        NOT NULL,
    placed_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, document_id, reference),
    FOREIGN KEY (owner, document_id) REFERENCES locker.document (owner, document_id)
);
GRANT SELECT, INSERT, DELETE ON locker.legal_hold TO locker;

-- Citizens who are to be erased. The row goes when nothing of them is left but the tombstone of their key.
CREATE TABLE locker.erasure (
    owner            text        PRIMARY KEY,
    asked_by         text        NOT NULL CHECK (asked_by IN ('citizen', 'officer')),
    reference        text,                                     -- an officer's
    asked_at         timestamptz NOT NULL DEFAULT now(),
    due_at           timestamptz NOT NULL,                     -- until then it can be undone
    key_destroyed_at timestamptz,
    next_attempt_at  timestamptz NOT NULL                      -- while it is taken, the end of the lease
);
CREATE INDEX erasure_due ON locker.erasure (next_attempt_at);
GRANT SELECT, INSERT, DELETE ON locker.erasure TO locker;
GRANT UPDATE (due_at, key_destroyed_at, next_attempt_at) ON locker.erasure TO locker;

-- Every table that has an owner, also those that are made later, so that none can be forgotten. It chooses rows, tables
-- and columns by itself and takes only an owner whose key is destroyed: what it removes was noise already. It runs as
-- the tables' owner because the app's role may not delete documents, shares and the rest.
CREATE FUNCTION locker.erase_rows_of(who text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- The tombstone; what is still to do; what the log does itself; and what must not be erased.
    kept    constant text[] := ARRAY['citizen_key', 'erasure', 'deposit_intent', 'audit', 'log_entry', 'legal_hold'];
    left_   text[];
    again   text[];
    one     text;
    col     text;
    many    bigint;
    gone    bigint := 0;
BEGIN
    PERFORM 1 FROM locker.citizen_key WHERE owner = who AND destroyed_at IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'erase_rows_of needs an owner whose key is destroyed';
    END IF;
    -- Objects first: an intent brings each to the sweeper, whatever happens to us.
    FOR one, col IN
        SELECT c.relname, a.attname FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'locker'
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname ~ '(^|_)object_key$' AND NOT a.attisdropped
          JOIN pg_attribute o ON o.attrelid = c.oid AND o.attname = 'owner' AND NOT o.attisdropped
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'deposit_intent'
    LOOP
        EXECUTE format('INSERT INTO locker.deposit_intent (owner, object_key) SELECT owner, %I FROM locker.%I
                         WHERE owner = $1 AND %I IS NOT NULL ON CONFLICT DO NOTHING', col, one, col) USING who;
    END LOOP;
    SELECT array_agg(c.relname) INTO left_ FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'locker'
      JOIN pg_attribute o ON o.attrelid = c.oid AND o.attname = 'owner' AND NOT o.attisdropped
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> ALL (kept);
    -- What others refer to goes after them.
    LOOP
        again := '{}';
        FOREACH one IN ARRAY left_ LOOP
            BEGIN
                EXECUTE format('DELETE FROM locker.%I WHERE owner = $1', one) USING who;
                GET DIAGNOSTICS many = ROW_COUNT;
                gone := gone + many;
            EXCEPTION WHEN foreign_key_violation THEN
                again := again || one;
            END;
        END LOOP;
        EXIT WHEN cardinality(again) = 0;
        IF cardinality(again) = cardinality(left_) THEN
            RAISE EXCEPTION 'rows of % are held', array_to_string(again, ', ');
        END IF;
        left_ := again;
    END LOOP;
    DELETE FROM locker.throttle WHERE right(bucket, length(who)) = who;
    RETURN gone;
END $$;
REVOKE ALL ON FUNCTION locker.erase_rows_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION locker.erase_rows_of(text) TO locker;
