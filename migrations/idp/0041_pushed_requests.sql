-- Authorization requests that clients pushed (RFC 9126): checked when they came, answered once. The request_uri itself is
-- a bearer secret until then, so only its digest is here.
CREATE TABLE idp.pushed_request (
    request_uri_sha256 bytea       PRIMARY KEY,
    client_id          text        NOT NULL REFERENCES idp.client,
    request            jsonb       NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    expires_at         timestamptz NOT NULL,
    used_at            timestamptz
);
CREATE INDEX pushed_request_expires ON idp.pushed_request (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.pushed_request TO idp;
