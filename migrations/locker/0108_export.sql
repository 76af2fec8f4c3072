-- A citizen's copy of everything: made in the background, kept for a day under the citizen's own key.
CREATE TABLE locker.export (
    owner             text        NOT NULL,
    export_id         text        NOT NULL,                    -- 125 random bits, Crockford base32
    state             text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'ready', 'failed')),
    asked_at          timestamptz NOT NULL DEFAULT now(),
    attempt           uuid,                                    -- of whom it was taken by last; an overtaken one decides nothing
    attempts          integer     NOT NULL DEFAULT 0,
    next_attempt_at   timestamptz NOT NULL DEFAULT now(),      -- while it is taken, the end of the lease

    object_key        text,
    wrapped_key       bytea,
    epoch             text,
    sha256            bytea,
    length            bigint,
    ciphertext_sha256 bytea,
    format            text,
    expires_at        timestamptz,
    PRIMARY KEY (owner, export_id),
    CHECK ((state = 'ready') = (wrapped_key IS NOT NULL))
);
-- One at a time.
CREATE UNIQUE INDEX export_one ON locker.export (owner);
CREATE INDEX export_due ON locker.export (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX export_expiry ON locker.export (expires_at) WHERE state = 'ready';
CREATE INDEX export_object ON locker.export (object_key COLLATE "C") WHERE object_key IS NOT NULL;
GRANT SELECT, INSERT, DELETE ON locker.export TO locker;
GRANT UPDATE (state, attempt, attempts, next_attempt_at, object_key, wrapped_key, epoch, sha256, length,
              ciphertext_sha256, format, expires_at) ON locker.export TO locker;
