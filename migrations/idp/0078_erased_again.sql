-- Citizens whose account was erased once: what a request wrote that had begun before goes with a second look, after which
-- the row's two times differ.
CREATE INDEX CONCURRENTLY IF NOT EXISTS citizen_erased_once ON idp.citizen (state_changed_at)
 WHERE state = 'erased' AND updated_at = state_changed_at;
