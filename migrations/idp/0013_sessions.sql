-- session_sha256 is the digest of the cookie and changes at each step-up; sid stays for as long as the session does.
CREATE TABLE idp.session (
    session_sha256 bytea       PRIMARY KEY,
    sid            text        NOT NULL UNIQUE,
    citizen_id     uuid        NOT NULL REFERENCES idp.citizen,
    auth_time      timestamptz NOT NULL DEFAULT now(),
    acr            text        NOT NULL CHECK (acr IN ('low', 'substantial', 'high')),
    amr            text[]      NOT NULL,
    browser_label  text        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    seen_at        timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    ended_at       timestamptz
);
CREATE INDEX session_citizen ON idp.session (citizen_id) WHERE ended_at IS NULL;
CREATE INDEX session_expires_at ON idp.session (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.session TO idp;

-- First factor passed, second awaited: nothing else may be done with it. One a browser and errand.
CREATE TABLE idp.sign_in_attempt (
    browser_sha256 bytea       NOT NULL,
    errand         text        NOT NULL,
    attempt_id     uuid        NOT NULL,
    citizen_id     uuid        NOT NULL REFERENCES idp.citizen,
    method         text        NOT NULL CHECK (method IN ('totp', 'code')),
    -- Set at a step-up: the session that gets a second factor; a password was not asked for again.
    session_sha256 bytea,
    tries          smallint    NOT NULL DEFAULT 0,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (browser_sha256, errand)
);
CREATE INDEX sign_in_attempt_expires_at ON idp.sign_in_attempt (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.sign_in_attempt TO idp;
