-- When a webhook failed last: after a silence it begins to fail anew.
ALTER TABLE locker.webhook ADD COLUMN failed_at timestamptz;
GRANT UPDATE (failed_at) ON locker.webhook TO locker;
