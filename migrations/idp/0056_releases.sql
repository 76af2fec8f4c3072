-- Which claims, by name, userinfo gave out for a family of tokens. The audit gets a row when a set of names is new for
-- the family; last_at moves at most once a minute, so that most readings write nothing.
CREATE TABLE idp.release (
    family_id  uuid        NOT NULL REFERENCES idp.token_family ON DELETE CASCADE,
    names      text[]      NOT NULL,
    citizen_id uuid        NOT NULL,
    client_id  text        NOT NULL,
    first_at   timestamptz NOT NULL DEFAULT now(),
    last_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (family_id, names)
);
CREATE INDEX release_citizen ON idp.release (citizen_id, client_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.release TO idp;

-- How claims of a citizen were verified (OpenID Connect for Identity Assurance 1.0, verified_claims).
CREATE TABLE idp.verification (
    verification_id uuid        PRIMARY KEY,
    citizen_id      uuid        NOT NULL REFERENCES idp.citizen,
    trust_framework text        NOT NULL,
    assurance_level text,
    verified_at     timestamptz NOT NULL,
    claims          text[]      NOT NULL,
    evidence        jsonb       NOT NULL
);
CREATE INDEX verification_citizen ON idp.verification (citizen_id);
GRANT SELECT, INSERT ON idp.verification TO idp;
