-- Background work (ADR 0020). A row stands from the transaction that wants the work until the one that holds its
-- result, which deletes it. due_at is when somebody may take it: for one that is being done, when its lease ends.
CREATE TABLE locker.job (
    job_id      uuid        PRIMARY KEY,
    kind        text        NOT NULL,
    lane        text        NOT NULL,                          -- those that must not take each other's places
    body        jsonb       NOT NULL CHECK (octet_length(body::text) <= 4096),   -- identifiers only
    attempts    integer     NOT NULL DEFAULT 0,
    fence       bigint      NOT NULL DEFAULT 0,                -- moves with each taking: an older one writes nothing
    due_at      timestamptz NOT NULL DEFAULT now(),
    taken_by    text,                                          -- for whoever looks; no decision hangs on it
    last_reason text,                                          -- a code, never prose
    dead_at     timestamptz,                                   -- kept until somebody says that it be tried again
    enqueued_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX job_due ON locker.job (kind, lane, due_at) WHERE dead_at IS NULL;
CREATE INDEX job_dead ON locker.job (dead_at) WHERE dead_at IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.job TO locker;
