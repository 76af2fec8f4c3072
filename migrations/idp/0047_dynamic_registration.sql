-- Initial access tokens (RFC 7591 §3): what whoever holds one may register. sector: NULL for the client's own hosts.
CREATE TABLE idp.client_invitation (
    invitation_id uuid        PRIMARY KEY,
    token_sha256  bytea       NOT NULL UNIQUE,
    profile       text        NOT NULL,
    sector        text,
    scopes        text[]      NOT NULL,
    acr           text        NOT NULL CHECK (acr IN ('low', 'substantial', 'high')),
    uses_left     integer     NOT NULL CHECK (uses_left >= 0),
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz
);
GRANT SELECT, INSERT, UPDATE ON idp.client_invitation TO idp;

-- Registration access tokens (RFC 7592): one a client, and only for clients that registered themselves.
CREATE TABLE idp.client_registration (
    client_id     text        PRIMARY KEY REFERENCES idp.client,
    token_sha256  bytea       NOT NULL UNIQUE,
    invitation_id uuid        NOT NULL REFERENCES idp.client_invitation,
    created_at    timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.client_registration TO idp;

-- A client that was deleted keeps its row: what was done with it stays in the history of citizens.
ALTER TABLE idp.client
    DROP CONSTRAINT client_state_check,
    ADD CONSTRAINT client_state_check CHECK (state IN ('active', 'disabled', 'deleted')),
    -- A rotated secret stays good for a while, so that a client can change over without a gap.
    ADD COLUMN previous_secret_sha256 bytea,
    ADD COLUMN previous_secret_until  timestamptz;
