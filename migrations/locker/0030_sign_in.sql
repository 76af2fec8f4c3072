-- A sign-in that was started and not ended: bound to the browser that started it, spent once.
CREATE TABLE locker.sign_in (
    state_sha256   bytea       PRIMARY KEY,
    browser_sha256 bytea       NOT NULL,
    nonce          text        NOT NULL,
    code_verifier  text        NOT NULL,
    return_to      text        NOT NULL,                       -- a path of ours
    expires_at     timestamptz NOT NULL
);
CREATE INDEX sign_in_expiry ON locker.sign_in (expires_at);

CREATE TABLE locker.session (
    owner          text        NOT NULL,
    session_sha256 bytea       NOT NULL,
    sid            text,                                       -- the provider's session, for its back-channel logout
    acr            text        NOT NULL,
    auth_time      timestamptz,
    names          jsonb       NOT NULL,                       -- name claims by language tag; kept nowhere else
    id_token       text        NOT NULL,                       -- the hint with which we sign out at the provider
    started_at     timestamptz NOT NULL DEFAULT now(),
    last_seen_at   timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,                       -- absolute; being idle ends it earlier
    PRIMARY KEY (owner, session_sha256)
);
-- 256 random bits need no uniqueness constraint; the cookie knows no owner.
CREATE INDEX session_digest ON locker.session (session_sha256);
CREATE INDEX session_expiry ON locker.session (expires_at);

GRANT SELECT, INSERT, DELETE ON locker.sign_in TO locker;
GRANT SELECT, INSERT, DELETE ON locker.session TO locker;
GRANT UPDATE (last_seen_at) ON locker.session TO locker;
