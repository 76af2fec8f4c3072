-- Who went on with a citizen's token (RFC 8693): it has no consent of its own, and can be frozen like who has.
CREATE TABLE idp.token_exchange (
    family_id    uuid        NOT NULL REFERENCES idp.token_family ON DELETE CASCADE,
    client_id    text        NOT NULL REFERENCES idp.client,
    exchanged_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (family_id, client_id)
);
GRANT SELECT, INSERT ON idp.token_exchange TO idp;

-- By whom the page of freezing finds them.
CREATE INDEX token_family_citizen ON idp.token_family (citizen_id) WHERE ended_at IS NULL;
