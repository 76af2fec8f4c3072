-- What is past the retention of its type and held by nobody.
CREATE VIEW locker.past_retention AS
    SELECT d.owner, d.document_id, d.type, kept.until AS over_since
      FROM locker.document_type t
      JOIN locker.document d ON d.type = t.type
     CROSS JOIN LATERAL (
           SELECT greatest(d.deposited_at, (coalesce(d.valid_until, d.deposited_at::date) + 1)::timestamptz)
                  + make_interval(days => t.retention_days) AS until) AS kept
     WHERE t.retention_days IS NOT NULL AND kept.until < now()
       -- Follows from it, and is what the index knows.
       AND d.deposited_at < now() - make_interval(days => t.retention_days)
       AND NOT EXISTS (SELECT 1 FROM locker.legal_hold h
                        WHERE h.owner = d.owner AND h.document_id = d.document_id);
GRANT SELECT ON locker.past_retention TO locker;
CREATE INDEX document_type_age ON locker.document (type, deposited_at);

-- One document with everything that hangs on it, in whatever table, also in one that is made later. It takes nothing
-- but what the view shows, so the app's role, which may not delete documents, cannot choose.
CREATE FUNCTION locker.remove_retained(who text, what text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one     text;
    col     text;
    length_ bigint;
BEGIN
    -- A hold that is being placed refers to this row: one of us waits for the other.
    SELECT d.length INTO length_ FROM locker.document d WHERE d.owner = who AND d.document_id = what FOR UPDATE;
    IF NOT FOUND OR NOT EXISTS (SELECT 1 FROM locker.past_retention p WHERE p.owner = who AND p.document_id = what) THEN
        RETURN false;
    END IF;
    FOR one, col IN
        SELECT c.relname, a.attname FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'locker'
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname ~ '(^|_)object_key$' AND NOT a.attisdropped
          JOIN pg_attribute o ON o.attrelid = c.oid AND o.attname = 'owner' AND NOT o.attisdropped
          JOIN pg_attribute i ON i.attrelid = c.oid AND i.attname = 'document_id' AND NOT i.attisdropped
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    LOOP
        EXECUTE format('INSERT INTO locker.deposit_intent (owner, object_key) SELECT owner, %I FROM locker.%I
                         WHERE owner = $1 AND document_id = $2 AND %I IS NOT NULL ON CONFLICT DO NOTHING', col, one, col)
          USING who, what;
    END LOOP;
    UPDATE locker.document SET replaces = NULL WHERE owner = who AND replaces = what;
    UPDATE locker.document SET replaced_by = NULL WHERE owner = who AND replaced_by = what;
    FOR one IN
        SELECT c.relname FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'locker'
          JOIN pg_attribute o ON o.attrelid = c.oid AND o.attname = 'owner' AND NOT o.attisdropped
          JOIN pg_attribute i ON i.attrelid = c.oid AND i.attname = 'document_id' AND NOT i.attisdropped
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN ('document', 'legal_hold')
    LOOP
        EXECUTE format('DELETE FROM locker.%I WHERE owner = $1 AND document_id = $2', one) USING who, what;
    END LOOP;
    DELETE FROM locker.document WHERE owner = who AND document_id = what;
    UPDATE locker.holding SET documents = documents - 1, bytes = bytes - length_ WHERE owner = who;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION locker.remove_retained(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION locker.remove_retained(text, text) TO locker;
