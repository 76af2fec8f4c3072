-- What a citizen holds still: a service, or an authenticator. The whole identity is citizen.state. A row stands while
-- it is frozen; who froze and thawed it, and when, is in the audit.
CREATE TABLE idp.frozen (
    citizen_id uuid        NOT NULL REFERENCES idp.citizen,
    kind       text        NOT NULL CHECK (kind IN ('service', 'authenticator')),
    -- A client_id; or password, totp, code, recovery, passkey:<id>.
    name       text        NOT NULL,
    frozen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (citizen_id, kind, name)
);
GRANT SELECT, INSERT, DELETE ON idp.frozen TO idp;

-- A frozen citizen asked to be opened again. Good only for the freeze that stood when it was asked.
CREATE TABLE idp.thaw (
    citizen_id uuid        PRIMARY KEY REFERENCES idp.citizen,
    asked_at   timestamptz NOT NULL DEFAULT now(),
    opens_at   timestamptz NOT NULL,
    desk_only  boolean     NOT NULL DEFAULT false
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.thaw TO idp;

-- A code of before a change of state is dead also where the citizen is active again within its lifetime.
ALTER TABLE idp.authorization_code ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now();
