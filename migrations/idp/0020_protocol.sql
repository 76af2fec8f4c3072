-- Relying parties, wallets and back ends. metadata: RFC 7591 members as registered.
CREATE TABLE idp.client (
    client_id     text        PRIMARY KEY,
    profile       text        NOT NULL CHECK (profile IN ('wallet', 'basic', 'fapi2', 'fapi2-ms', 'machine')),
    sector        text        NOT NULL,
    legal_ground  text,
    state         text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    metadata      jsonb       NOT NULL,
    secret_sha256 bytea,
    revision      integer     NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON idp.client TO idp;

-- Resource servers: an access token is for one of them.
CREATE TABLE idp.resource (
    resource   text        PRIMARY KEY,
    name       text        NOT NULL,
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON idp.resource TO idp;

-- The pairwise identifiers given so far: sub is derived, this finds the way back.
CREATE TABLE idp.subject (
    sector     text        NOT NULL,
    sub        text        NOT NULL,
    citizen_id uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sector, sub),
    UNIQUE (citizen_id, sector)
);
GRANT SELECT, INSERT ON idp.subject TO idp;

-- An authorization request on its way through the pages, bound to one browser.
CREATE TABLE idp.interaction (
    interaction_id text        PRIMARY KEY,
    browser_sha256 bytea       NOT NULL,
    client_id      text        NOT NULL REFERENCES idp.client,
    request        jsonb       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    finished_at    timestamptz
);
CREATE INDEX interaction_expires ON idp.interaction (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.interaction TO idp;

-- What a citizen gave to one client; every code and token hangs on it, and ending it ends them all.
CREATE TABLE idp.consent (
    consent_id uuid        PRIMARY KEY,
    citizen_id uuid        NOT NULL,
    client_id  text        NOT NULL REFERENCES idp.client,
    scopes     text[]      NOT NULL,
    claims     text[]      NOT NULL,
    purpose    jsonb,
    given_at   timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
CREATE UNIQUE INDEX consent_live ON idp.consent (citizen_id, client_id) WHERE ended_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON idp.consent TO idp;

CREATE TABLE idp.authorization_code (
    code_sha256    bytea       PRIMARY KEY,
    client_id      text        NOT NULL,
    citizen_id     uuid        NOT NULL,
    consent_id     uuid        NOT NULL,
    family_id      uuid        NOT NULL,
    sid            text        NOT NULL,
    sub            text        NOT NULL,
    redirect_uri   text        NOT NULL,
    code_challenge text,
    nonce          text,
    scopes         text[]      NOT NULL,
    claims         jsonb       NOT NULL,
    resource       text,
    auth_time      timestamptz NOT NULL,
    acr            text        NOT NULL,
    amr            text[]      NOT NULL,
    expires_at     timestamptz NOT NULL,
    consumed_at    timestamptz
);
CREATE INDEX authorization_code_expires ON idp.authorization_code (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.authorization_code TO idp;

-- All tokens that came of one code. offline: outlives the session it was born in.
CREATE TABLE idp.token_family (
    family_id  uuid        PRIMARY KEY,
    client_id  text        NOT NULL,
    citizen_id uuid        NOT NULL,
    consent_id uuid        NOT NULL,
    sid        text        NOT NULL,
    sub        text        NOT NULL,
    scopes     text[]      NOT NULL,
    claims     jsonb       NOT NULL,
    resource   text,
    nonce      text,
    auth_time  timestamptz NOT NULL,
    acr        text        NOT NULL,
    amr        text[]      NOT NULL,
    offline    boolean     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX token_family_consent ON idp.token_family (consent_id) WHERE ended_at IS NULL;
CREATE INDEX token_family_expires ON idp.token_family (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.token_family TO idp;

CREATE TABLE idp.refresh_token (
    token_sha256 bytea       PRIMARY KEY,
    family_id    uuid        NOT NULL REFERENCES idp.token_family ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    consumed_at  timestamptz
);
CREATE INDEX refresh_token_family ON idp.refresh_token (family_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.refresh_token TO idp;

-- Access tokens ended one by one; a family's end ends the rest.
CREATE TABLE idp.revoked_access_token (
    jti        text        PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE ON idp.revoked_access_token TO idp;

-- Client assertions seen: each is good once (RFC 7523 §3, jti).
CREATE TABLE idp.client_assertion (
    client_id  text        NOT NULL,
    jti_sha256 bytea       NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti_sha256)
);
CREATE INDEX client_assertion_expires ON idp.client_assertion (expires_at);
GRANT SELECT, INSERT, DELETE ON idp.client_assertion TO idp;
