-- Moves with every change of state: what If-Match names.
ALTER TABLE locker.document ADD COLUMN revision integer NOT NULL DEFAULT 1;
GRANT UPDATE (revision) ON locker.document TO locker;

-- The documents of one deposit with several owners, each with a row of its own.
ALTER TABLE locker.document_uri ADD COLUMN group_id text;
CREATE INDEX document_uri_group ON locker.document_uri (group_id) WHERE group_id IS NOT NULL;

-- A revocation that came while the deposit still waits to be judged: what comes of it is revoked from its first moment.
ALTER TABLE locker.quarantine
    ADD COLUMN revocation_reason text,
    ADD COLUMN revoked_by        text;                         -- client_id

-- Owned by clients: one key, one change of state, in the transaction of that change.
CREATE TABLE locker.state_request (
    client_id      text        NOT NULL,
    key            text        NOT NULL,
    request_sha256 bytea       NOT NULL,
    answer         jsonb,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client_id, key)
);
CREATE INDEX state_request_age ON locker.state_request (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.state_request TO locker;

-- An administration's own name for what it deposits. A revocation by it may be here before the deposit is.
CREATE TABLE locker.deposit_reference (
    administration    text        NOT NULL,
    reference         text        NOT NULL,
    document_id       text,                                    -- NULL: nothing was deposited under it yet
    revocation_reason text,
    revoked_by        text,                                    -- client_id
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (administration, reference)
);
CREATE INDEX deposit_reference_awaited ON locker.deposit_reference (administration) WHERE document_id IS NULL;
GRANT SELECT, INSERT, UPDATE ON locker.deposit_reference TO locker;
