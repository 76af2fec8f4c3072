CREATE TABLE idp.password (
    citizen_id uuid        PRIMARY KEY REFERENCES idp.citizen,
    argon2     text        NOT NULL,
    set_at     timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.password TO idp;

-- secret_sealed is what counts; pending_sealed waits for its first right code and changes nothing until then.
CREATE TABLE idp.totp (
    citizen_id     uuid        PRIMARY KEY REFERENCES idp.citizen,
    secret_sealed  bytea,
    pending_sealed bytea,
    pending_at     timestamptz,
    -- The time step of the last code that was accepted (RFC 6238 §5.2: a code passes once).
    last_step      bigint      NOT NULL DEFAULT 0,
    confirmed_at   timestamptz,
    last_used_at   timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.totp TO idp;

-- Where one-time codes go. The address was proven by a code, and does not move when a contact point does.
CREATE TABLE idp.code_by_message (
    citizen_id   uuid        PRIMARY KEY REFERENCES idp.citizen,
    channel      text        NOT NULL CHECK (channel IN ('sms', 'email')),
    address      text        NOT NULL,
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.code_by_message TO idp;

-- A code is good for one purpose of one transaction of one citizen; a second code for it keeps the count of tries.
CREATE TABLE idp.one_time_code (
    citizen_id uuid        NOT NULL REFERENCES idp.citizen,
    purpose    text        NOT NULL CHECK (purpose IN ('sign-in', 'activation', 'second-factor', 'contact')),
    binding    text        NOT NULL,
    channel    text        NOT NULL CHECK (channel IN ('sms', 'email')),
    address    text        NOT NULL,
    code_mac   bytea       NOT NULL,
    tries      smallint    NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz,
    PRIMARY KEY (citizen_id, purpose, binding)
);
CREATE INDEX one_time_code_expires_at ON idp.one_time_code (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.one_time_code TO idp;
