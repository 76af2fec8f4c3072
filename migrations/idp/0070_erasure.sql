-- A citizen whose account is erased: the row stays without a person in it, so that the identifier is never assigned again.
ALTER TABLE idp.citizen
    DROP CONSTRAINT citizen_state_check,
    ADD CONSTRAINT citizen_state_check
        CHECK (state IN ('registered', 'active', 'frozen', 'suspended', 'deceased', 'erased'));

-- Every table that names a citizen, also those that are made later, so that none can be forgotten. It takes only one whose
-- state says so, and chooses tables and columns by itself; it runs as the tables' owner because the app's role may delete
-- little and change nothing of the audit.
CREATE FUNCTION idp.erase_citizen(who uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    naming constant text := '(^|_)citizen_id$|^(represented_id|actor_id|acting_chosen_by)$';
    left_  text[];
    again  text[];
    one    text;
    rows_  text;
    many   bigint;
    gone   bigint := 0;
BEGIN
    PERFORM 1 FROM idp.citizen WHERE citizen_id = who AND state = 'erased' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'erase_citizen needs a citizen whose state is erased';
    END IF;
    SELECT array_agg(DISTINCT c.relname::text) INTO left_ FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'idp'
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname ~ naming AND a.atttypid = 'uuid'::regtype
                         AND NOT a.attisdropped
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'citizen';
    -- What others refer to goes after them.
    LOOP
        again := '{}';
        FOREACH one IN ARRAY left_ LOOP
            SELECT string_agg(format('%I = $1', a.attname), ' OR ') INTO rows_ FROM pg_attribute a
             WHERE a.attrelid = format('idp.%I', one)::regclass AND a.attname ~ naming
               AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped;
            BEGIN
                EXECUTE format('DELETE FROM idp.%I WHERE %s', one, rows_) USING who;
                GET DIAGNOSTICS many = ROW_COUNT;
                gone := gone + many;
            EXCEPTION WHEN foreign_key_violation THEN
                again := again || one;
            END;
        END LOOP;
        EXIT WHEN cardinality(again) = 0;
        IF cardinality(again) = cardinality(left_) THEN
            RAISE EXCEPTION 'rows of % are referred to', array_to_string(again, ', ');
        END IF;
        left_ := again;
    END LOOP;
    UPDATE idp.citizen
       SET claims = '{"given_name#ar": "—", "family_name#ar": "—", "given_name#fr": "—", "family_name#fr": "—",
                      "birthdate": "0001-01-01"}',
           cnie_sealed = NULL, cnie_blind = NULL, external_reference = NULL, locale = 'ar', updated_at = now(),
           created_at = date_trunc('year', created_at)
     WHERE citizen_id = who;
    UPDATE idp.audit
       SET action = 'erased', actor_kind = 'system', actor = '', owner = NULL, object_id = NULL, purpose = NULL,
           result = 'erased', detail = '{}'
     WHERE owner = who::text OR actor = who::text;
    DELETE FROM idp.throttle t USING idp.citizen z
     WHERE z.citizen_id = who AND (position(who::text IN t.bucket) > 0 OR position(z.uid IN t.bucket) > 0);
    RETURN gone;
END $$;
REVOKE ALL ON FUNCTION idp.erase_citizen(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idp.erase_citizen(uuid) TO idp;
