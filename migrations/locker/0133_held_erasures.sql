-- Of a citizen whom a legal hold keeps from being erased whole: since when nothing is left but what is held.
ALTER TABLE locker.erasure ADD COLUMN parted_at timestamptz;
GRANT UPDATE (parted_at) ON locker.erasure TO locker;

-- As erase_rows_of, of whom a hold keeps documents: everything but those documents and what says no more than they do. It
-- takes only an owner whose erasure is due and chooses by the holds, so the right to call it is no right to choose.
-- NULL: nothing is held any more.
CREATE FUNCTION locker.erase_unheld_of(who text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept    constant text[] := ARRAY['citizen_key', 'erasure', 'deposit_intent', 'audit', 'log_entry', 'legal_hold',
                                     'document', 'holding'];
    -- A row of the citizen that goes with a document stays if that is held; what hangs on a link goes with the link.
    what    constant text := 'SELECT c.relname, EXISTS (SELECT 1 FROM pg_attribute d WHERE d.attrelid = c.oid
                                     AND d.attname = ''document_id'' AND NOT d.attisdropped)
                                 AND NOT EXISTS (SELECT 1 FROM pg_attribute s WHERE s.attrelid = c.oid
                                     AND s.attname = ''share_id'' AND NOT s.attisdropped) AS of_a_document
                                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = ''locker''
                                JOIN pg_attribute o ON o.attrelid = c.oid AND o.attname = ''owner''
                                 AND NOT o.attisdropped
                               WHERE c.relkind IN (''r'', ''p'') AND NOT c.relispartition';
    held    text[];
    one     text;
    col     text;
    of_one  boolean;
    left_   text[] := '{}';
    again   text[];
    many    bigint;
    gone    bigint := 0;
BEGIN
    -- Whoever places a hold or records a deposit holds this row: one of us waits for the other.
    PERFORM 1 FROM locker.citizen_key WHERE owner = who AND destroyed_at IS NULL FOR UPDATE;
    IF NOT FOUND OR NOT EXISTS (SELECT 1 FROM locker.erasure WHERE owner = who AND due_at <= now()) THEN
        RAISE EXCEPTION 'erase_unheld_of needs an owner whose erasure is due';
    END IF;
    SELECT array_agg(DISTINCT document_id) INTO held FROM locker.legal_hold WHERE owner = who;
    IF held IS NULL THEN
        RETURN NULL;
    END IF;
    FOR one, of_one IN EXECUTE what LOOP
        FOR col IN
            SELECT a.attname FROM pg_attribute a
             WHERE a.attrelid = format('locker.%I', one)::regclass AND a.attname ~ '(^|_)object_key$'
               AND NOT a.attisdropped AND one <> 'deposit_intent'
        LOOP
            EXECUTE format('INSERT INTO locker.deposit_intent (owner, object_key) SELECT owner, %I FROM locker.%I
                             WHERE owner = $1 AND %I IS NOT NULL %s ON CONFLICT DO NOTHING', col, one, col,
                           CASE WHEN of_one THEN 'AND document_id <> ALL ($2)' ELSE '' END) USING who, held;
        END LOOP;
        IF one <> ALL (kept) THEN
            left_ := left_ || one;
        END IF;
    END LOOP;
    LOOP
        again := '{}';
        FOR one, of_one IN EXECUTE what LOOP
            CONTINUE WHEN one <> ALL (left_);
            BEGIN
                EXECUTE format('DELETE FROM locker.%I WHERE owner = $1 %s', one,
                               CASE WHEN of_one THEN 'AND document_id <> ALL ($2)' ELSE '' END) USING who, held;
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
    UPDATE locker.document SET replaces = NULL WHERE owner = who AND replaces <> ALL (held);
    UPDATE locker.document SET replaced_by = NULL WHERE owner = who AND replaced_by <> ALL (held);
    DELETE FROM locker.document WHERE owner = who AND document_id <> ALL (held);
    GET DIAGNOSTICS many = ROW_COUNT;
    UPDATE locker.holding AS h SET (documents, bytes) = (SELECT count(*), coalesce(sum(d.length), 0)
                                                           FROM locker.document AS d WHERE d.owner = who)
     WHERE h.owner = who;
    DELETE FROM locker.throttle WHERE right(bucket, length(who)) = who;
    RETURN gone + many;
END $$;
REVOKE ALL ON FUNCTION locker.erase_unheld_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION locker.erase_unheld_of(text) TO locker;

-- As forget_log_of, without the lines that are about what is held.
CREATE FUNCTION locker.forget_unheld_log_of(who text, rows_max integer, OUT blanked bigint, OUT forgotten bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held text[];
BEGIN
    PERFORM 1 FROM locker.log_head WHERE one FOR UPDATE;
    IF NOT EXISTS (SELECT 1 FROM locker.erasure WHERE owner = who AND parted_at IS NOT NULL) THEN
        RAISE EXCEPTION 'forget_unheld_log_of needs an owner of whom nothing is left but what is held';
    END IF;
    SELECT coalesce(array_agg(document_id), '{}') INTO held FROM locker.legal_hold WHERE owner = who;
    WITH portion AS MATERIALIZED (
        SELECT a.at, a.audit_id FROM locker.audit AS a
         WHERE a.owner = who AND coalesce(a.object_id <> ALL (held), true)
           AND NOT coalesce(a.detail -> 'documents' ?| held, false) LIMIT rows_max),
    gone AS (
        DELETE FROM locker.log_entry AS e USING portion AS p WHERE e.owner = who AND e.audit_id = p.audit_id
        RETURNING 1),
    blank AS (
        UPDATE locker.audit AS a
           SET action = 'erased', actor_kind = 'system', actor = '', owner = NULL, object_id = NULL, purpose = NULL,
               result = 'erased', detail = '{}'
          FROM portion AS p WHERE a.at = p.at AND a.audit_id = p.audit_id
        RETURNING 1)
    SELECT (SELECT count(*) FROM blank), (SELECT count(*) FROM gone) INTO blanked, forgotten;
END $$;
REVOKE ALL ON FUNCTION locker.forget_unheld_log_of(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION locker.forget_unheld_log_of(text, integer) TO locker;
