-- Data that an administration deposited with its PDF under the same seal: XAdES, JAdES or CAdES. One deposit, one life:
-- its key is sealed under its document's, so that whatever destroys the document's key destroys it as well.
CREATE TABLE locker.signed_data (
    owner             text        NOT NULL,
    document_id       text        NOT NULL,
    object_key        text        NOT NULL,
    key_sealed        bytea       NOT NULL,                    -- its wrapped key, AES-256-GCM under the document key
    epoch             text        NOT NULL,
    sha256            bytea       NOT NULL,
    length            bigint      NOT NULL,
    ciphertext_sha256 bytea       NOT NULL,
    format            text        NOT NULL,
    media_type        text        NOT NULL,
    signature_sealed  bytea,                                   -- the signature beside it, under the document key
    signature_sha256  bytea,

    indication        text        NOT NULL,
    level             text        NOT NULL,
    signer            text        NOT NULL,
    signed_at         timestamptz,
    verdict           jsonb       NOT NULL,
    trust_version     text        NOT NULL,
    PRIMARY KEY (owner, document_id),
    FOREIGN KEY (owner, document_id) REFERENCES locker.document (owner, document_id),
    CHECK ((signature_sealed IS NULL) = (signature_sha256 IS NULL))
);
CREATE INDEX signed_data_object ON locker.signed_data (object_key COLLATE "C");
-- Data that somebody verifies is found by its digest, as a PDF is.
CREATE INDEX signed_data_sha256 ON locker.signed_data (sha256);
GRANT SELECT, INSERT ON locker.signed_data TO locker;

-- A deposit waits whole, and is refused whole.
ALTER TABLE locker.quarantine
    ADD COLUMN data_object_key text,
    ADD COLUMN judged_part     text NOT NULL DEFAULT 'document' CHECK (judged_part IN ('document', 'data'));
CREATE INDEX quarantine_data_object ON locker.quarantine (data_object_key COLLATE "C") WHERE data_object_key IS NOT NULL;
