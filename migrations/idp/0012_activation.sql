-- A code given at the desk or by letter. The row stands until the citizen is active; opening it binds it to a browser.
CREATE TABLE idp.activation (
    citizen_id     uuid        PRIMARY KEY REFERENCES idp.citizen,
    code_mac       bytea       NOT NULL,
    expires_at     timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    browser_sha256 bytea       UNIQUE,
    opened_until   timestamptz
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.activation TO idp;
