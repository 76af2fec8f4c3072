-- Other OpenID providers that an operator registered: citizens may sign in through them.
CREATE TABLE idp.upstream (
    slug              text        PRIMARY KEY CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,30}$'),
    issuer            text        NOT NULL UNIQUE,
    registration      jsonb       NOT NULL,
    -- The client secret, or the private key of private_key_jwt: needed in clear at each exchange, so sealed.
    credential_sealed bytea       NOT NULL,
    state             text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON idp.upstream TO idp;

-- An authentication request that we sent to one of them: bound to one browser and one errand, answered once.
CREATE TABLE idp.upstream_request (
    state_sha256    bytea       PRIMARY KEY,
    browser_sha256  bytea       NOT NULL,
    slug            text        NOT NULL REFERENCES idp.upstream,
    interaction_id  text,
    account_page    text        NOT NULL,
    -- Set where a citizen who is signed in asked for a link: nobody else gets it.
    citizen_id      uuid        REFERENCES idp.citizen,
    nonce_sha256    bytea       NOT NULL,
    verifier_sealed bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    spent_at        timestamptz
);
CREATE INDEX upstream_request_expires_at ON idp.upstream_request (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.upstream_request TO idp;

-- This browser has just shown that it holds an account there that is nobody's here. It waits for the citizen to sign in
-- with their own factors and to say that the two belong together.
CREATE TABLE idp.upstream_proof (
    browser_sha256 bytea       NOT NULL,
    errand         text        NOT NULL,
    slug           text        NOT NULL REFERENCES idp.upstream,
    issuer         text        NOT NULL,
    sub_mac        bytea       NOT NULL,
    citizen_id     uuid        REFERENCES idp.citizen,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (browser_sha256, errand)
);
CREATE INDEX upstream_proof_expires_at ON idp.upstream_proof (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.upstream_proof TO idp;

-- sub_mac is a keyed digest of issuer and sub: it is found, and never read. acr_max is the level of the session in which
-- the citizen made the link, and the highest that a sign-in through it gives.
CREATE TABLE idp.upstream_link (
    link_id      uuid        PRIMARY KEY,
    citizen_id   uuid        NOT NULL REFERENCES idp.citizen,
    slug         text        NOT NULL REFERENCES idp.upstream,
    issuer       text        NOT NULL,
    sub_mac      bytea       NOT NULL,
    acr_max      text        NOT NULL CHECK (acr_max IN ('low', 'substantial', 'high')),
    linked_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    UNIQUE (issuer, sub_mac),
    UNIQUE (citizen_id, issuer)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.upstream_link TO idp;
