-- Only some fields of a shared document: what the link reaches then is an SD-JWT VC, sealed under the share's own key.
-- NULL fields: the whole document. The credential goes when the share ends.
ALTER TABLE locker.share_document
    ADD COLUMN fields            text[] CHECK (cardinality(fields) > 0),
    ADD COLUMN credential_id     text,
    ADD COLUMN credential_sealed bytea,
    ADD CHECK ((fields IS NULL) = (credential_id IS NULL)),
    ADD CHECK (credential_sealed IS NULL OR fields IS NOT NULL);
CREATE INDEX share_document_credential ON locker.share_document (credential_id) WHERE credential_id IS NOT NULL;

-- key_wrapped: the share's key under one that only the link's token gives; code_wrapped: under one from the code and
-- our secret. Neither stands here after the share ended. open_until: for a share that may be looked at longer than it
-- may be opened (face to face); NULL: as long.
ALTER TABLE locker.share
    ADD COLUMN key_wrapped  bytea,
    ADD COLUMN code_mac     bytea,
    ADD COLUMN code_wrapped bytea,
    ADD COLUMN open_until   timestamptz,
    ADD CHECK (code_mac IS NULL OR open_until IS NOT NULL);
-- 12 digits know no owner, and are soon over; a second share with the same ones is refused when it opens.
CREATE INDEX share_code ON locker.share (code_mac) WHERE code_mac IS NOT NULL;

-- audit_id: the line of the log, which both receipts name. key_wrapped: the share's key under one that only the
-- opener's secret gives, while it may be looked at.
ALTER TABLE locker.opening
    ADD COLUMN audit_id    uuid,
    ADD COLUMN key_wrapped bytea;
CREATE INDEX opening_audit ON locker.opening (audit_id) WHERE audit_id IS NOT NULL;
CREATE INDEX opening_key ON locker.opening (view_until) WHERE key_wrapped IS NOT NULL;
CREATE INDEX share_key ON locker.share (until) WHERE key_wrapped IS NOT NULL OR code_mac IS NOT NULL;

GRANT UPDATE (key_wrapped, code_mac, code_wrapped) ON locker.share TO locker;
GRANT UPDATE (credential_sealed) ON locker.share_document TO locker;
GRANT UPDATE (key_wrapped) ON locker.opening TO locker;
