-- The four steps of making a share, until the last one makes it.
CREATE TABLE locker.share_draft (
    owner      text        NOT NULL,
    draft_id   text        NOT NULL,                           -- becomes the share_id
    answers    jsonb       NOT NULL,
    pin_mac    bytea,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (owner, draft_id)
);
CREATE INDEX share_draft_expiry ON locker.share_draft (expires_at);

-- caveats is what the citizen decided: a closed set, entries are only ever appended, each one narrows. The columns
-- after it are what follows from all of them, for the one statement that opens.
CREATE TABLE locker.share (
    owner          text        NOT NULL,
    share_id       text        NOT NULL,
    token_sha256   bytea       NOT NULL,
    caveats        jsonb       NOT NULL,
    recipient      text        NOT NULL,
    purpose        text        NOT NULL,
    until          timestamptz NOT NULL,
    openings_max   integer     NOT NULL CHECK (openings_max BETWEEN 1 AND 1000),
    openings_used  integer     NOT NULL DEFAULT 0,
    pin_mac        bytea,
    client_id      text,                                       -- only this relying party opens
    view_only      boolean     NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    last_opened_at timestamptz,
    revoked_at     timestamptz,
    PRIMARY KEY (owner, share_id),
    CHECK (openings_used BETWEEN 0 AND openings_max)
);
-- 256 random bits need no uniqueness constraint; a link knows no owner.
CREATE INDEX share_token ON locker.share (token_sha256);
CREATE INDEX share_newest ON locker.share (owner, created_at DESC, share_id DESC);

CREATE TABLE locker.share_document (
    owner       text    NOT NULL,
    share_id    text    NOT NULL,
    document_id text    NOT NULL,
    position    integer NOT NULL,
    PRIMARY KEY (owner, share_id, document_id),
    FOREIGN KEY (owner, share_id) REFERENCES locker.share (owner, share_id),
    FOREIGN KEY (owner, document_id) REFERENCES locker.document (owner, document_id)
);

-- One row for each opening that was spent. Who opened may look for some minutes (view_until) with the secret whose
-- digest stands here, as long as the share itself lives.
CREATE TABLE locker.opening (
    owner          text        NOT NULL,
    opening_id     text        NOT NULL,
    share_id       text        NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT now(),
    client_id      text,
    viewing_sha256 bytea       NOT NULL,
    view_until     timestamptz NOT NULL,
    PRIMARY KEY (owner, opening_id),
    FOREIGN KEY (owner, share_id) REFERENCES locker.share (owner, share_id)
);
CREATE INDEX opening_viewing ON locker.opening (viewing_sha256);
CREATE INDEX opening_share ON locker.opening (owner, share_id, opened_at DESC);

GRANT SELECT, INSERT, UPDATE, DELETE ON locker.share_draft TO locker;
GRANT SELECT, INSERT ON locker.share, locker.share_document, locker.opening TO locker;
GRANT UPDATE (caveats, until, openings_max, openings_used, last_opened_at, revoked_at) ON locker.share TO locker;
