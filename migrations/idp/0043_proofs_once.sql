-- Client assertions and DPoP proofs that were seen: each is good once (RFC 7523 §3, RFC 9449 §11.1). The digest is of
-- whose it is and of its jti. It takes the place of client_assertion, which the release before this one still writes.
CREATE TABLE idp.proof_seen (
    proof_sha256 bytea       PRIMARY KEY,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX proof_seen_expires ON idp.proof_seen (expires_at);
GRANT SELECT, INSERT, DELETE ON idp.proof_seen TO idp;
