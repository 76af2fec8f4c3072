-- Objects that a reconcile met and that no row knew. They are kept for weeks from the first meeting: after a restore they
-- are what was deposited since the backup, and a later restore may know them again.
CREATE TABLE locker.stray_object (
    object_key  text        PRIMARY KEY,
    length      bigint      NOT NULL,
    modified_at timestamptz,
    seen_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stray_object_seen ON locker.stray_object (seen_at);
GRANT SELECT, INSERT, DELETE ON locker.stray_object TO locker;
