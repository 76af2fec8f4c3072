-- A passkey is a discoverable credential of WebAuthn. Its credential id leads to one citizen only, whoever registers it.
CREATE TABLE idp.passkey (
    passkey_id      uuid        PRIMARY KEY,
    citizen_id      uuid        NOT NULL REFERENCES idp.citizen,
    credential_id   bytea       NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    -- COSE_Key, as the authenticator made it (RFC 9052 §7).
    public_key      bytea       NOT NULL,
    -- Stays 0 with authenticators that do not count.
    sign_count      bigint      NOT NULL,
    transports      text[]      NOT NULL,
    -- May the key be copied to other devices of its owner, and has it been?
    backup_eligible boolean     NOT NULL,
    backed_up       boolean     NOT NULL,
    -- As the citizen calls it.
    name            text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_used_at    timestamptz
);
CREATE INDEX passkey_citizen ON idp.passkey (citizen_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.passkey TO idp;

-- Challenges are derived, so only those that were used need a row: until they would have expired anyway.
CREATE TABLE idp.spent_challenge (
    challenge_sha256 bytea       PRIMARY KEY,
    expires_at       timestamptz NOT NULL
);
CREATE INDEX spent_challenge_expires_at ON idp.spent_challenge (expires_at);
GRANT SELECT, INSERT, DELETE ON idp.spent_challenge TO idp;

-- Ten at a time, printed by the citizen; each opens once. A new set replaces the old one.
CREATE TABLE idp.recovery_code (
    citizen_id uuid        NOT NULL REFERENCES idp.citizen,
    code_mac   bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    spent_at   timestamptz,
    PRIMARY KEY (citizen_id, code_mac)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.recovery_code TO idp;

ALTER TABLE idp.sign_in_attempt
    DROP CONSTRAINT sign_in_attempt_method_check,
    ADD CONSTRAINT sign_in_attempt_method_check CHECK (method IN ('totp', 'code', 'passkey', 'recovery'));
