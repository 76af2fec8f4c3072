-- As before; the rows of the portion are also named by their owner, so that no plan reads the whole audit for them.
CREATE OR REPLACE FUNCTION locker.forget_log_of(who text, rows_max integer, OUT blanked bigint, OUT forgotten bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(who, '') = '' THEN
        RAISE EXCEPTION 'forget_log_of needs an owner';
    END IF;
    -- The sequencer holds this row while it makes entries: none of these rows gets one after it was looked for.
    PERFORM 1 FROM locker.log_head WHERE one FOR UPDATE;
    WITH portion AS MATERIALIZED (
        SELECT a.at, a.audit_id FROM locker.audit AS a WHERE a.owner = who LIMIT rows_max),
    gone AS (
        DELETE FROM locker.log_entry AS e USING portion AS p WHERE e.owner = who AND e.audit_id = p.audit_id
        RETURNING 1),
    blank AS (
        UPDATE locker.audit AS a
           SET action = 'erased', actor_kind = 'system', actor = '', owner = NULL, object_id = NULL, purpose = NULL,
               result = 'erased', detail = '{}'
          FROM portion AS p WHERE a.owner = who AND a.at = p.at AND a.audit_id = p.audit_id
        RETURNING 1)
    SELECT (SELECT count(*) FROM blank), (SELECT count(*) FROM gone) INTO blanked, forgotten;
END $$;

CREATE OR REPLACE FUNCTION locker.forget_unheld_log_of(who text, rows_max integer, OUT blanked bigint,
                                                       OUT forgotten bigint)
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
          FROM portion AS p WHERE a.owner = who AND a.at = p.at AND a.audit_id = p.audit_id
        RETURNING 1)
    SELECT (SELECT count(*) FROM blank), (SELECT count(*) FROM gone) INTO blanked, forgotten;
END $$;
