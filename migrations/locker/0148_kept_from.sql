-- From when the days count that a document is kept: from the end of the last day on which it is valid, in UTC, or of the
-- day of its deposit.
CREATE FUNCTION locker.kept_from(deposited_at timestamptz, valid_until date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT greatest(deposited_at,
                    (coalesce(valid_until, (deposited_at AT TIME ZONE 'UTC')::date) + 1)::timestamp AT TIME ZONE 'UTC')
$$;
