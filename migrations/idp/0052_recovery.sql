-- "I cannot sign in": a link that went to one confirmed contact point. It opens once, in one browser; what else the
-- citizen proves stands beside it.
CREATE TABLE idp.recovery_link (
    token_sha256   bytea       PRIMARY KEY,
    citizen_id     uuid        NOT NULL REFERENCES idp.citizen,
    channel        text        NOT NULL CHECK (channel IN ('sms', 'email')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    browser_sha256 bytea       UNIQUE,
    opened_until   timestamptz,
    tries          smallint    NOT NULL DEFAULT 0,
    proven_at      timestamptz
);
CREATE INDEX recovery_link_expires_at ON idp.recovery_link (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.recovery_link TO idp;

-- Password and second factor are both lost: nothing happens before ready_at, and one word of the owner stops it.
-- Who came back this way counts as remotely proofed until settled_at, when they were seen at a desk again.
CREATE TABLE idp.recovery_wait (
    recovery_id uuid        PRIMARY KEY,
    citizen_id  uuid        NOT NULL REFERENCES idp.citizen,
    started_at  timestamptz NOT NULL DEFAULT now(),
    ready_at    timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    told_at     timestamptz NOT NULL DEFAULT now(),
    ready_told  boolean     NOT NULL DEFAULT false,
    stopped_at  timestamptz,
    finished_at timestamptz,
    settled_at  timestamptz
);
CREATE UNIQUE INDEX recovery_wait_open ON idp.recovery_wait (citizen_id)
    WHERE stopped_at IS NULL AND finished_at IS NULL;
CREATE INDEX recovery_wait_citizen ON idp.recovery_wait (citizen_id);
GRANT SELECT, INSERT, UPDATE ON idp.recovery_wait TO idp;

-- Activating again: an officer's new code at the desk, or the end of a recovery's waiting time.
ALTER TABLE idp.activation
    ADD COLUMN kind text NOT NULL DEFAULT 'desk' CHECK (kind IN ('desk', 'recovery'));
ALTER TABLE idp.one_time_code
    DROP CONSTRAINT one_time_code_purpose_check,
    ADD CONSTRAINT one_time_code_purpose_check
        CHECK (purpose IN ('sign-in', 'activation', 'second-factor', 'contact', 'recovery'));
