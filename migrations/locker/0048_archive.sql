-- What is kept of each document so that its verification depends on nobody: a copy with validation data and an archive
-- time stamp (PAdES B-LTA), beside the original, which stays as it was deposited.
CREATE TABLE locker.archived (
    owner             text        NOT NULL,
    document_id       text        NOT NULL,
    state             text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'kept', 'lapsed')),
    generation        integer     NOT NULL DEFAULT 0,          -- archive time stamps so far; 0: there is no copy yet

    object_key        text,
    wrapped_key       bytea,
    epoch             text,
    sha256            bytea,
    length            bigint,
    ciphertext_sha256 bytea,
    format            text,

    verdict           jsonb,                                   -- the judge's report of the newest copy
    time_stamped_at   timestamptz,                             -- the newest archive time stamp
    renew_by          timestamptz,                             -- when a certificate of its chain ends
    algorithms        text[],                                  -- what it is made with, as sha256, rsa-2048
    record_id         uuid,                                    -- the evidence record that covers it

    attempt           uuid,
    attempts          integer     NOT NULL DEFAULT 0,          -- since the last success
    next_attempt_at   timestamptz NOT NULL DEFAULT now(),      -- while it is taken, the end of the lease
    failure           text,
    PRIMARY KEY (owner, document_id)
);
CREATE INDEX archived_waiting ON locker.archived (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX archived_renew_by ON locker.archived (renew_by) WHERE state = 'kept';
CREATE INDEX archived_uncovered ON locker.archived (time_stamped_at) WHERE state = 'kept' AND record_id IS NULL;
CREATE INDEX archived_record ON locker.archived (record_id);
CREATE INDEX archived_document ON locker.archived (document_id);
CREATE INDEX archived_object ON locker.archived (object_key COLLATE "C");
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.archived TO locker;

INSERT INTO locker.archived (owner, document_id)
SELECT owner, document_id FROM locker.document WHERE wrapped_key IS NOT NULL;
