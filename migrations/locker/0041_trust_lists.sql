-- Trust lists (ETSI TS 119 612) that are followed: by an officer's decision, or because a followed list of lists points
-- at them. The edition in force stays until a verified newer one takes its place.
CREATE TABLE locker.trust_list (
    source      text        PRIMARY KEY,                -- https address, or absolute path of a file
    pointed_by  text        REFERENCES locker.trust_list ON DELETE CASCADE,
    signers     bytea[]     NOT NULL,                   -- certificates, one of which must have signed the list
    announced   bytea[]     NOT NULL DEFAULT '{}',      -- those that the edition in force says will sign the next one
    territories text[]      NOT NULL DEFAULT '{}',      -- of a list of lists: whose lists to follow; empty: all
    followed_at timestamptz NOT NULL DEFAULT now(),
    tried_at    timestamptz,
    failure     text,                                   -- why the last try changed nothing
    -- The edition in force:
    territory   text,
    operator    text,
    sequence    bigint,
    issued_at   timestamptz,
    next_update timestamptz,                            -- NULL in an edition that says it is the last one
    signed_by   bytea,                                  -- certificate
    sha256      bytea,
    xml         bytea,
    read_at     timestamptz,
    other_services integer  NOT NULL DEFAULT 0
);
CREATE INDEX trust_list_pointed_by ON locker.trust_list (pointed_by);
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.trust_list TO locker;

-- The services of the edition in force that a judge asks for. Periods are the newest first.
CREATE TABLE locker.trust_service (
    source       text    NOT NULL REFERENCES locker.trust_list ON DELETE CASCADE,
    ordinal      integer NOT NULL,
    kind         text    NOT NULL CHECK (kind IN ('ca', 'time-stamp', 'ocsp')),
    type         text    NOT NULL,
    name         text    NOT NULL,
    provider     text    NOT NULL,
    territory    text    NOT NULL,
    certificates bytea[] NOT NULL,
    periods      jsonb   NOT NULL,
    PRIMARY KEY (source, ordinal)
);
GRANT SELECT, INSERT, DELETE ON locker.trust_service TO locker;
