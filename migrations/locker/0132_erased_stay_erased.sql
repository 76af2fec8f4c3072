-- Who was erased, found by everybody who adds something: few rows, beside a key for each citizen.
CREATE INDEX citizen_key_destroyed ON locker.citizen_key (owner) WHERE destroyed_at IS NOT NULL;

-- A row is dated by the database. A program that was taken over could otherwise write one of yesterday, or one of a month
-- ahead, which no partition could be made for any more.
REVOKE INSERT ON locker.audit FROM locker;
GRANT INSERT (audit_id, action, actor_kind, actor, owner, object_id, purpose, result, detail) ON locker.audit TO locker;

-- As forget_log_of(who), for so many rows: who has a long history must not hold up the log for as long. It returns the
-- rows that were blanked and the leaves that lost their meaning; fewer rows than asked for: nothing is left.
CREATE FUNCTION locker.forget_log_of(who text, rows_max integer, OUT blanked bigint, OUT forgotten bigint)
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
          FROM portion AS p WHERE a.at = p.at AND a.audit_id = p.audit_id
        RETURNING 1)
    SELECT (SELECT count(*) FROM blank), (SELECT count(*) FROM gone) INTO blanked, forgotten;
END $$;
REVOKE ALL ON FUNCTION locker.forget_log_of(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION locker.forget_log_of(text, integer) TO locker;

-- The same days whatever zone a session of the database believes to be in: all of them in UTC, of 24 hours each.
CREATE OR REPLACE VIEW locker.past_retention AS
    SELECT d.owner, d.document_id, d.type, kept.until AS over_since
      FROM locker.document_type t
      JOIN locker.document d ON d.type = t.type
     CROSS JOIN LATERAL (SELECT make_interval(hours => 24 * least(t.retention_days, 1000000)) AS long) AS type
     CROSS JOIN LATERAL (
           SELECT greatest(d.deposited_at,
                           (coalesce(d.valid_until, (d.deposited_at AT TIME ZONE 'UTC')::date) + 1)::timestamp
                           AT TIME ZONE 'UTC') + type.long AS until) AS kept
     WHERE t.retention_days IS NOT NULL AND kept.until < now()
       -- Follows from it, and is what the index knows.
       AND d.deposited_at < now() - type.long
       AND NOT EXISTS (SELECT 1 FROM locker.legal_hold h
                        WHERE h.owner = d.owner AND h.document_id = d.document_id);
