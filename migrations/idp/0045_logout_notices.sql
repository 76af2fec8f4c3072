-- Who must hear that a session has ended (OpenID Connect Back-Channel Logout 1.0): written in the transaction that ends
-- it. A client took part in a session if a code of that session became tokens, so its token families say who.
CREATE TABLE idp.logout_notice (
    notice_id   uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    client_id   text        NOT NULL REFERENCES idp.client,
    citizen_id  uuid        NOT NULL,
    sid         text        NOT NULL,
    sub         text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    tries       smallint    NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    -- Heard, refused for good, or given up; status is the last answer's, NULL for none.
    settled_at  timestamptz,
    status      smallint,
    UNIQUE (sid, client_id, sub)
);
CREATE INDEX logout_notice_due ON idp.logout_notice (next_try_at) WHERE settled_at IS NULL;
CREATE INDEX logout_notice_expires ON idp.logout_notice (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.logout_notice TO idp;

CREATE INDEX token_family_sid ON idp.token_family (sid);
