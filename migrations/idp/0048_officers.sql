-- People of the authority: known by a public key, and by nothing that could be borrowed. Apart from citizens.
CREATE TABLE idp.officer (
    officer_id text        PRIMARY KEY CHECK (officer_id ~ '^[a-z0-9._-]{2,64}$'),
    public_jwk jsonb       NOT NULL,
    abilities  text[]      NOT NULL,
    state      text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON idp.officer TO idp;

-- Requests seen: each signature is good once.
CREATE TABLE idp.officer_request (
    officer_id text        NOT NULL REFERENCES idp.officer,
    jti_sha256 bytea       NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (officer_id, jti_sha256)
);
CREATE INDEX officer_request_expires ON idp.officer_request (expires_at);
GRANT SELECT, INSERT, DELETE ON idp.officer_request TO idp;

-- A client that one officer wants; another one decides. What was proposed does not change.
CREATE TABLE idp.client_proposal (
    proposal_id  uuid        PRIMARY KEY,
    registration jsonb       NOT NULL,
    proposed_by  text        NOT NULL REFERENCES idp.officer,
    proposed_at  timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    state        text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'refused')),
    decided_by   text        REFERENCES idp.officer,
    decided_at   timestamptz,
    client_id    text        REFERENCES idp.client,
    CHECK (decided_by <> proposed_by OR state = 'refused')
);
CREATE INDEX client_proposal_pending ON idp.client_proposal (proposed_at) WHERE state = 'pending';
GRANT SELECT, INSERT, UPDATE ON idp.client_proposal TO idp;
