-- Many deposits under one manifest. Owned by administrations: nothing here says whose an item is, except what is sealed.
CREATE TABLE locker.deposit_batch (
    batch_id       text        PRIMARY KEY,                    -- 125 random bits, Crockford base32
    administration text        NOT NULL,
    registered_by  text        NOT NULL,                       -- client_id
    state          text        NOT NULL DEFAULT 'receiving' CHECK (state IN ('receiving', 'open')),
    dry_run        boolean     NOT NULL,
    salt           bytea       NOT NULL,                       -- the key of its lines derives from it and a secret of ours
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL
);
CREATE INDEX deposit_batch_expiry ON locker.deposit_batch (expires_at);
CREATE INDEX deposit_batch_administration ON locker.deposit_batch (administration);

-- One row a line of the manifest, also of a line that could not be used (it has no file).
CREATE TABLE locker.deposit_batch_item (
    batch_id     text        NOT NULL REFERENCES locker.deposit_batch,
    line         integer     NOT NULL,
    item         text,                                         -- as the administration calls it
    file         text,                                         -- the name under which its document comes
    type         text,
    sha256       bytea,                                        -- of the PDF, as the manifest says
    sealed       bytea,                                        -- the line itself, AES-256-GCM; gone once it is decided
    state        text        NOT NULL CHECK (state IN ('awaiting', 'deposited', 'quarantined', 'checked', 'refused')),
    refusal      jsonb,                                        -- code, detail and members of the refusal
    document_id  text,
    version      integer,
    deposited_at timestamptz,
    PRIMARY KEY (batch_id, line),
    CHECK ((state = 'awaiting') = (sealed IS NOT NULL)),
    CHECK (state <> 'deposited' OR document_id IS NOT NULL)
);
CREATE UNIQUE INDEX deposit_batch_item_file ON locker.deposit_batch_item (batch_id, file) WHERE file IS NOT NULL;
CREATE UNIQUE INDEX deposit_batch_item_name ON locker.deposit_batch_item (batch_id, item) WHERE file IS NOT NULL;
CREATE INDEX deposit_batch_item_awaiting ON locker.deposit_batch_item (batch_id, line) WHERE state = 'awaiting';

GRANT SELECT, INSERT, DELETE ON locker.deposit_batch, locker.deposit_batch_item TO locker;
GRANT UPDATE (state) ON locker.deposit_batch TO locker;
GRANT UPDATE (sealed, state, refusal, document_id, version, deposited_at) ON locker.deposit_batch_item TO locker;
