-- DPoP proofs that were seen: each is good once (RFC 9449 §11.1). The digest is of the key and the proof's jti.
CREATE TABLE locker.proof_seen (
    proof_sha256 bytea       PRIMARY KEY,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX proof_seen_expires ON locker.proof_seen (expires_at);
GRANT SELECT, INSERT, DELETE ON locker.proof_seen TO locker;
