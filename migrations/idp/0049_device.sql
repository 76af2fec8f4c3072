-- Devices that wait for a citizen (RFC 8628). The device_code is known by its digest; the user_code, short enough to be
-- guessed from a digest, by a MAC to find it and sealed to show it again.
CREATE TABLE idp.device_request (
    device_code_sha256 bytea       PRIMARY KEY,
    user_code_mac      bytea       NOT NULL UNIQUE,
    user_code_sealed   bytea       NOT NULL,
    client_id          text        NOT NULL REFERENCES idp.client,
    request            jsonb       NOT NULL,
    state              text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'denied')),
    interval_s         integer     NOT NULL,
    polled_at          timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    expires_at         timestamptz NOT NULL
);
CREATE INDEX device_request_expires ON idp.device_request (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.device_request TO idp;

-- The citizen said that the waiting device or service is the one in front of them.
ALTER TABLE idp.interaction ADD COLUMN confirmed_at timestamptz;
