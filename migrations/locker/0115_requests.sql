-- What relying parties may ask citizens for: registered by officers, few rows, the same everywhere.
CREATE TABLE locker.request_purpose (
    client_id     text        NOT NULL,
    purpose_id    text        NOT NULL CHECK (purpose_id ~ '^[a-z][a-z0-9-]{0,63}$'),
    version       integer     NOT NULL DEFAULT 1,              -- moves when it changes
    names         jsonb       NOT NULL,                        -- who asks: {"ar": …, "fr": …, "zgh": …, "en": …}
    purpose       jsonb       NOT NULL,                        -- what for, likewise
    documents     jsonb       NOT NULL,                        -- [{"type": …, "fields": […] or null}]
    registered_at timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    withdrawn_at  timestamptz,
    PRIMARY KEY (client_id, purpose_id)
);

-- What a relying party asks. It names no citizen, before and after it was answered.
CREATE TABLE locker.document_request (
    request_id   text        PRIMARY KEY,
    token_sha256 bytea       NOT NULL,                         -- of the address that the citizen opens
    client_id    text        NOT NULL,
    purpose_id   text        NOT NULL,
    documents    jsonb       NOT NULL,
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'given', 'declined')),
    link_sealed  bytea,                                        -- the share's address, for the relying party alone
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    answered_at  timestamptz,
    CHECK ((state = 'given') = (link_sealed IS NOT NULL)),
    CHECK ((state = 'waiting') = (answered_at IS NULL))
);
CREATE INDEX document_request_token ON locker.document_request (token_sha256);
CREATE INDEX document_request_expiry ON locker.document_request (expires_at);

-- What a citizen answered: the next request of the same purpose is compared with it.
CREATE TABLE locker.request_answer (
    owner       text        NOT NULL,
    request_id  text        NOT NULL,
    client_id   text        NOT NULL,
    purpose_id  text        NOT NULL,
    documents   jsonb       NOT NULL,                          -- as they were asked for
    share_id    text,                                          -- NULL: declined
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, request_id)
);
CREATE INDEX request_answer_newest ON locker.request_answer (owner, client_id, purpose_id, answered_at DESC);

-- Counts that anybody may read, a row a relying party and month.
CREATE TABLE locker.request_figure (
    client_id text   NOT NULL,
    month     date   NOT NULL,
    asked     bigint NOT NULL DEFAULT 0,
    refused   bigint NOT NULL DEFAULT 0,                       -- wider than what is registered
    given     bigint NOT NULL DEFAULT 0,
    declined  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (client_id, month)
);

GRANT SELECT, INSERT, UPDATE ON locker.request_purpose, locker.request_figure TO locker;
GRANT SELECT, INSERT, DELETE ON locker.document_request TO locker;
GRANT UPDATE (state, link_sealed, answered_at) ON locker.document_request TO locker;
GRANT SELECT, INSERT ON locker.request_answer TO locker;
