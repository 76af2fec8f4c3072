-- The app's role is made by the operator (or by the embedded supervisor) before the first migration.
GRANT USAGE ON SCHEMA locker TO locker;

-- What was done, by whom, to what: append-only. Partitioned by month from the start.
CREATE TABLE locker.audit (
    audit_id   uuid        NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    action     text        NOT NULL,
    actor_kind text        NOT NULL,
    actor      text        NOT NULL,
    owner      text,
    object_id  text,
    purpose    text,
    result     text        NOT NULL,
    detail     jsonb       NOT NULL,
    PRIMARY KEY (at, audit_id)
) PARTITION BY RANGE (at);
CREATE TABLE locker.audit_default PARTITION OF locker.audit DEFAULT;
CREATE INDEX audit_owner ON locker.audit (owner, at DESC, audit_id DESC) WHERE owner IS NOT NULL;
GRANT SELECT, INSERT ON locker.audit TO locker;

CREATE TABLE locker.throttle (
    bucket           text        PRIMARY KEY,
    window_starts_at timestamptz NOT NULL,
    attempts         integer     NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.throttle TO locker;
