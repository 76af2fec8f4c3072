-- The app's role is made by the operator (or by the embedded supervisor) before the first migration.
GRANT USAGE ON SCHEMA idp TO idp;

-- What was done, by whom, to what: append-only. Partitioned by month from the start.
CREATE TABLE idp.audit (
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
CREATE TABLE idp.audit_default PARTITION OF idp.audit DEFAULT;
CREATE INDEX audit_owner ON idp.audit (owner, at DESC, audit_id DESC) WHERE owner IS NOT NULL;
GRANT SELECT, INSERT ON idp.audit TO idp;

CREATE TABLE idp.throttle (
    bucket           text        PRIMARY KEY,
    window_starts_at timestamptz NOT NULL,
    attempts         integer     NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.throttle TO idp;
