-- Administrations for which the locker seals, each with one key that stays in its place (a file, or a device).
CREATE TABLE locker.sealing (
    administration     text        PRIMARY KEY REFERENCES locker.administration,
    certificate_sha256 bytea       NOT NULL,
    certificate        bytea       NOT NULL,                   -- DER
    chain              bytea[]     NOT NULL,                   -- DER of its authorities, without the root
    enabled_at         timestamptz NOT NULL DEFAULT now(),
    disabled_at        timestamptz
);

-- One key of a client, one seal (draft-ietf-httpapi-idempotency-key).
CREATE TABLE locker.seal (
    administration     text        NOT NULL REFERENCES locker.administration,
    seal_id            text        NOT NULL,
    client_id          text        NOT NULL,
    idempotency_key    text        NOT NULL,
    request_sha256     bytea       NOT NULL,
    attempt            uuid        NOT NULL,                   -- who holds it; an attempt that was overtaken cannot answer
    started_at         timestamptz NOT NULL DEFAULT now(),
    wanted             text        NOT NULL CHECK (wanted IN ('B-B', 'B-T', 'B-LT', 'B-LTA')),
    level              text        CHECK (level IN ('B-B', 'B-T', 'B-LT', 'B-LTA')),  -- NULL while in flight
    pending            text        CHECK (pending IN ('B-T', 'B-LT', 'B-LTA')),       -- what is still to come
    version            integer     NOT NULL DEFAULT 0,
    certificate_sha256 bytea,
    sealed_at          timestamptz,
    tries              integer     NOT NULL DEFAULT 0,
    next_try_at        timestamptz,
    expires_at         timestamptz NOT NULL,
    PRIMARY KEY (administration, seal_id),
    UNIQUE (client_id, idempotency_key),
    CHECK (level IS NOT NULL OR pending IS NULL)
);
CREATE INDEX seal_due ON locker.seal (next_try_at) WHERE pending IS NOT NULL;
CREATE INDEX seal_expiry ON locker.seal (expires_at);

-- The file at each level that was reached; a later one stands beside the earlier, never in its place.
CREATE TABLE locker.seal_version (
    administration    text        NOT NULL,
    seal_id           text        NOT NULL,
    version           integer     NOT NULL,
    level             text        NOT NULL,
    indication        text        NOT NULL,                    -- of our own judge, when it was made
    sub_indication    text,
    object_key        text        NOT NULL,
    wrapped_key       bytea       NOT NULL,
    epoch             text        NOT NULL,
    sha256            bytea       NOT NULL,
    length            bigint      NOT NULL,
    ciphertext_sha256 bytea       NOT NULL,
    format            text        NOT NULL,
    made_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (administration, seal_id, version),
    FOREIGN KEY (administration, seal_id) REFERENCES locker.seal (administration, seal_id)
);
CREATE INDEX seal_version_object ON locker.seal_version (object_key COLLATE "C");

GRANT SELECT, INSERT, UPDATE ON locker.sealing TO locker;
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.seal TO locker;
GRANT SELECT, INSERT, DELETE ON locker.seal_version TO locker;
