-- What a citizen puts into the locker by themselves: self-declared, apart from what administrations deposited, and never
-- counted with it. The file's name is sealed under the file's own key.
CREATE TABLE locker.upload (
    owner             text        NOT NULL,
    upload_id         text        NOT NULL,                    -- 125 random bits, Crockford base32
    uploaded_at       timestamptz NOT NULL DEFAULT now(),
    uploaded_by       text        NOT NULL,                    -- client_id of the wallet app, or the owner at our pages
    media_type        text        NOT NULL CHECK (media_type IN ('application/pdf', 'image/jpeg', 'image/png')),
    pages             integer     NOT NULL,                    -- 1 for a picture

    idempotency_key   text,                                    -- NULL once the upload is gone
    request_sha256    bytea       NOT NULL,

    object_key        text        NOT NULL,
    wrapped_key       bytea,                                   -- NULL: gone, its bytes are noise
    epoch             text        NOT NULL,
    name_sealed       bytea,
    sha256            bytea       NOT NULL,
    length            bigint      NOT NULL,
    ciphertext_sha256 bytea       NOT NULL,
    format            text        NOT NULL,

    scan              text        NOT NULL CHECK (scan IN ('none', 'clean', 'pending', 'infected')),
    scan_signature    text,                                    -- the scanner's name for what it found
    scanned_at        timestamptz,
    scan_attempt      uuid,                                    -- of whom it was taken by last; an overtaken one decides nothing
    scan_attempts     integer     NOT NULL DEFAULT 0,
    next_scan_at      timestamptz,                             -- while it is taken, the end of the lease

    binned_at         timestamptz,                             -- the citizen deleted it, and may restore it until purge_at
    purge_at          timestamptz,
    gone_at           timestamptz,
    PRIMARY KEY (owner, upload_id),
    CHECK ((gone_at IS NULL) = (wrapped_key IS NOT NULL)),
    CHECK ((gone_at IS NULL) = (name_sealed IS NOT NULL)),
    CHECK ((scan = 'pending' AND gone_at IS NULL) = (next_scan_at IS NOT NULL)),
    CHECK (binned_at IS NULL OR gone_at IS NOT NULL OR purge_at IS NOT NULL)
);
CREATE UNIQUE INDEX upload_idempotency ON locker.upload (owner, uploaded_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX upload_newest ON locker.upload (owner, uploaded_at DESC, upload_id DESC) WHERE gone_at IS NULL;
CREATE INDEX upload_purge ON locker.upload (purge_at) WHERE gone_at IS NULL AND purge_at IS NOT NULL;
CREATE INDEX upload_scan ON locker.upload (next_scan_at) WHERE next_scan_at IS NOT NULL;
CREATE INDEX upload_object ON locker.upload (object_key COLLATE "C") WHERE gone_at IS NULL;

-- How much each citizen uploaded, kept by the upload's own transaction; what is in the bin counts until it is gone.
CREATE TABLE locker.upload_holding (
    owner   text   PRIMARY KEY,
    uploads bigint NOT NULL CHECK (uploads >= 0),
    bytes   bigint NOT NULL CHECK (bytes >= 0)
);

GRANT SELECT, INSERT ON locker.upload TO locker;
GRANT UPDATE (idempotency_key, wrapped_key, epoch, name_sealed, scan, scan_signature, scanned_at, scan_attempt, scan_attempts,
              next_scan_at, binned_at, purge_at, gone_at) ON locker.upload TO locker;
GRANT SELECT, INSERT, UPDATE ON locker.upload_holding TO locker;
