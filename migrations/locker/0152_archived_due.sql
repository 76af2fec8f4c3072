-- The one copy that is due first is found without looking at the millions that are not: of what no evidence record covers, and
-- of all.
CREATE INDEX CONCURRENTLY IF NOT EXISTS archived_open_renew_by
    ON locker.archived (renew_by) WHERE state = 'kept' AND record_id IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS archived_open_algorithms
    ON locker.archived (algorithms, next_attempt_at) WHERE state = 'kept' AND record_id IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS archived_algorithms
    ON locker.archived (algorithms, next_attempt_at) WHERE state = 'kept';
