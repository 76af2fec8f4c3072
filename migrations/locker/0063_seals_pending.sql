-- How many seals of an administration wait for a time stamp.
CREATE INDEX seal_pending ON locker.seal (administration) WHERE pending IS NOT NULL;
