-- Who wants to be told what, and where (docs/webhooks.md). Owned by an administration or by one relying party's client.
CREATE TABLE locker.webhook (
    webhook_id      text        PRIMARY KEY,
    administration  text        REFERENCES locker.administration,
    client_id       text,
    url             text        NOT NULL,
    events          text[]      NOT NULL,
    disabled_at     timestamptz,
    disabled_reason text        CHECK (disabled_reason IN ('gone', 'failing', 'owner', 'officer')),
    failing_since   timestamptz,                               -- the first failure after the last success
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(administration, client_id) = 1),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);
CREATE INDEX webhook_administration ON locker.webhook (administration) WHERE administration IS NOT NULL;
CREATE INDEX webhook_client ON locker.webhook (client_id) WHERE client_id IS NOT NULL;

-- Several at a time while one takes the other's place: each message is signed with all.
CREATE TABLE locker.webhook_key (
    webhook_id text        NOT NULL REFERENCES locker.webhook,
    key_id     text        NOT NULL,
    scheme     text        NOT NULL CHECK (scheme IN ('v1', 'v1a')),
    sealed     bytea       NOT NULL,                           -- AES-256-GCM under a key that no table holds
    made_at    timestamptz NOT NULL DEFAULT now(),
    signs_until timestamptz,                                   -- NULL: until it is rotated
    PRIMARY KEY (webhook_id, key_id)
);

-- What was to be told. Identifiers that its receiver knows already; never a citizen's.
CREATE TABLE locker.webhook_message (
    webhook_id   text        NOT NULL REFERENCES locker.webhook,
    message_id   text        NOT NULL,
    type         text        NOT NULL,
    data         jsonb       NOT NULL,
    occurred_at  timestamptz NOT NULL,
    -- held: its receiver was not to be told then; a replay asks anew
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed', 'held')),
    attempts     integer     NOT NULL DEFAULT 0,
    last_outcome text,                                         -- http-500, no-answer, …
    created_at   timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz,
    PRIMARY KEY (webhook_id, message_id)
);
CREATE INDEX webhook_message_newest ON locker.webhook_message (webhook_id, created_at DESC, message_id DESC);
CREATE INDEX webhook_message_age ON locker.webhook_message (created_at);

-- For which relying parties a document was shared, when something becomes of it.
CREATE INDEX share_document_document ON locker.share_document (owner, document_id);

GRANT SELECT, INSERT ON locker.webhook TO locker;
GRANT UPDATE (events, url, disabled_at, disabled_reason, failing_since) ON locker.webhook TO locker;
GRANT SELECT, INSERT, DELETE ON locker.webhook_key TO locker;
GRANT UPDATE (signs_until) ON locker.webhook_key TO locker;
GRANT SELECT, INSERT, DELETE ON locker.webhook_message TO locker;
GRANT UPDATE (state, attempts, last_outcome, settled_at) ON locker.webhook_message TO locker;
