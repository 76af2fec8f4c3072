-- Under which domains an administration may name addresses of documents that it keeps itself.
CREATE TABLE locker.administration_domain (
    administration text        NOT NULL REFERENCES locker.administration,
    domain         text        NOT NULL,
    registered_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (administration, domain)
);
GRANT SELECT, INSERT, DELETE ON locker.administration_domain TO locker;

ALTER TABLE locker.document ADD COLUMN by_reference boolean NOT NULL DEFAULT false;
-- What was let go is fetched and sealed again, under the same key.
GRANT UPDATE (ciphertext_sha256) ON locker.document TO locker;

-- Of a document that its issuer keeps: where it is, and when it was last found there as it was deposited. The object of
-- the document is a cache of it, until the citizen keeps a copy.
CREATE TABLE locker.reference (
    owner        text        NOT NULL,
    document_id  text        NOT NULL,
    url_sealed   bytea       NOT NULL,                         -- under the document key: an address may name a person
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    cached       boolean     NOT NULL DEFAULT true,            -- the object is there
    removed      boolean     NOT NULL DEFAULT false,           -- the object was let go, and is gone
    copied_at    timestamptz,                                  -- the citizen keeps a copy: no more is asked of the issuer
    lease_until  timestamptz NOT NULL DEFAULT '-infinity',     -- somebody fetches it, or lets it go
    failure      text,                                         -- of the last fetch, a code
    failed_at    timestamptz,
    PRIMARY KEY (owner, document_id),
    FOREIGN KEY (owner, document_id) REFERENCES locker.document (owner, document_id)
);
CREATE INDEX reference_age ON locker.reference (confirmed_at) WHERE copied_at IS NULL AND NOT removed;
GRANT SELECT, INSERT ON locker.reference TO locker;
GRANT UPDATE (confirmed_at, cached, removed, copied_at, lease_until, failure, failed_at) ON locker.reference TO locker;
