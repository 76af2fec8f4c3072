-- Found by the worker each minute, however many rows there are.
CREATE INDEX CONCURRENTLY IF NOT EXISTS throttle_window ON idp.throttle (window_starts_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS revoked_access_token_expires ON idp.revoked_access_token (expires_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mandate_over ON idp.mandate (least(ended_at, valid_until));
