-- An erasure asks for the lines of a citizen, also for those of what they did for others. Made in three steps, so that nobody who
-- writes a line waits for it.
CREATE INDEX IF NOT EXISTS audit_actor ON ONLY idp.audit (actor);
