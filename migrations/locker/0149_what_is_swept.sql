-- What the worker asks each round is found by an index, however many rows there are.
CREATE INDEX CONCURRENTLY IF NOT EXISTS throttle_window ON locker.throttle (window_starts_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS archived_lapsed ON locker.archived (renew_by) WHERE state = 'lapsed';
-- The age of a deposit says little: of what is valid for ten years nearly everything would be looked at each time.
CREATE INDEX CONCURRENTLY IF NOT EXISTS document_kept_from
    ON locker.document (type, locker.kept_from(deposited_at, valid_until));
