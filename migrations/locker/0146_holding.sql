-- Retention took a document with its data, and counted the document alone; so did an erasure of what no hold keeps.
CREATE OR REPLACE FUNCTION locker.remove_retained(who text, what text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one     text;
    col     text;
    length_ bigint;
BEGIN
    -- A hold that is being placed refers to this row: one of us waits for the other.
    PERFORM FROM locker.document d WHERE d.owner = who AND d.document_id = what FOR UPDATE;
    IF NOT FOUND OR NOT EXISTS (SELECT 1 FROM locker.past_retention p WHERE p.owner = who AND p.document_id = what) THEN
        RETURN false;
    END IF;
    -- As it was counted when it came: with its data.
    SELECT d.length + coalesce(s.length, 0) INTO length_
      FROM locker.document d LEFT JOIN locker.signed_data s ON s.owner = d.owner AND s.document_id = d.document_id
     WHERE d.owner = who AND d.document_id = what;
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

CREATE OR REPLACE FUNCTION locker.erase_unheld_of(who text) RETURNS bigint
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
    UPDATE locker.holding AS h
       SET (documents, bytes) = (SELECT count(*), coalesce(sum(d.length + coalesce(s.length, 0)), 0)
                                   FROM locker.document AS d
                                   LEFT JOIN locker.signed_data AS s ON s.owner = d.owner AND s.document_id = d.document_id
                                  WHERE d.owner = who)
     WHERE h.owner = who;
    DELETE FROM locker.throttle WHERE right(bucket, length(who)) = who;
    RETURN gone + many;
END $$;

-- What was counted wrongly before. Relative to what was read, so that what comes in meanwhile counts too.
UPDATE locker.holding AS wrong
   SET documents = wrong.documents + off.documents, bytes = wrong.bytes + off.bytes
  FROM (SELECT h.owner, coalesce(there.documents, 0) - h.documents AS documents, coalesce(there.bytes, 0) - h.bytes AS bytes
          FROM locker.holding h
          LEFT JOIN (SELECT d.owner, count(*) AS documents, sum(d.length + coalesce(s.length, 0))::bigint AS bytes
                       FROM locker.document d
                       LEFT JOIN locker.signed_data s ON s.owner = d.owner AND s.document_id = d.document_id
                      GROUP BY d.owner) there ON there.owner = h.owner) off
 WHERE off.owner = wrong.owner AND (off.documents <> 0 OR off.bytes <> 0);
