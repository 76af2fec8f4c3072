-- All links of a citizen end by one row, however many there are: what was made until then opens nothing from its commit
-- on. Their own rows follow in batches; settled_at NULL: not all of them yet.
CREATE TABLE locker.shares_ended (
    owner      text        PRIMARY KEY,
    ended_at   timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE INDEX shares_ended_unsettled ON locker.shares_ended (ended_at) WHERE settled_at IS NULL;

GRANT SELECT, INSERT ON locker.shares_ended TO locker;
GRANT UPDATE (ended_at, settled_at) ON locker.shares_ended TO locker;
