-- Of an upload that is gone its digests go too: with them, who has a file could ask whether somebody had it.
UPDATE locker.upload SET sha256 = '', request_sha256 = '' WHERE gone_at IS NOT NULL;
GRANT UPDATE (sha256, request_sha256) ON locker.upload TO locker;
