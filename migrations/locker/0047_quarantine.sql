-- Deposits whose seal cannot be judged yet (INDETERMINATE/TRY_LATER): their bytes are stored, and no document exists
-- before a later judgement passes. A row leaves when it became a document; a refused one stays for who deposited it.
CREATE TABLE locker.quarantine (
    owner             text        NOT NULL,
    document_id       text        NOT NULL,
    administration    text        NOT NULL,
    received_at       timestamptz NOT NULL DEFAULT now(),
    document          jsonb       NOT NULL,                    -- what the document's row will say, its verdict apart

    object_key        text        NOT NULL,
    wrapped_key       bytea,                                   -- NULL: refused, its bytes are noise
    epoch             text        NOT NULL,
    fields_sealed     bytea,
    sha256            bytea       NOT NULL,
    length            bigint      NOT NULL,
    ciphertext_sha256 bytea       NOT NULL,
    format            text        NOT NULL,

    state             text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'refused')),
    attempts          integer     NOT NULL DEFAULT 1,          -- judgements begun, that of the deposit included
    attempt           uuid,                                    -- of whom it was taken by last; an overtaken one decides nothing
    next_attempt_at   timestamptz NOT NULL,                    -- while it is taken, the end of the lease
    indication        text        NOT NULL,                    -- of the last judgement
    sub_indication    text,
    verdict           jsonb       NOT NULL,
    refusal           text,                                    -- the stable code
    decided_at        timestamptz,
    PRIMARY KEY (owner, document_id)
);
CREATE INDEX quarantine_due ON locker.quarantine (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX quarantine_decided ON locker.quarantine (decided_at) WHERE state = 'refused';
CREATE INDEX quarantine_document ON locker.quarantine (document_id);
CREATE INDEX quarantine_object ON locker.quarantine (object_key COLLATE "C");
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.quarantine TO locker;
