-- A file that somebody verifies is found by its digest; one file may lie with several citizens.
CREATE INDEX document_sha256 ON locker.document (sha256);
