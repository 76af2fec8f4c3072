-- Services that wait for a citizen (OpenID Connect CIBA Core 1.0). The auth_req_id is known by its digest; request_id is
-- what pages and the operator's list name a request by, and opens nothing.
CREATE TABLE idp.backchannel_request (
    auth_req_id_sha256  bytea       PRIMARY KEY,
    request_id          uuid        NOT NULL UNIQUE,
    client_id           text        NOT NULL REFERENCES idp.client,
    citizen_id          uuid        NOT NULL REFERENCES idp.citizen,
    request             jsonb       NOT NULL,
    binding_message     text,
    -- Where there is no binding_message: what the service shows, among what the citizen chooses from.
    number              smallint,
    numbers             smallint[],
    state               text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'denied')),
    interval_s          integer     NOT NULL,
    polled_at           timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    expires_at          timestamptz NOT NULL,
    -- The client_notification_token, for clients that are pinged; ping_at is set by the answer.
    notification_sealed bytea,
    ping_at             timestamptz,
    ping_tries          smallint    NOT NULL DEFAULT 0,
    CHECK ((number IS NULL) = (numbers IS NULL)),
    CHECK (number IS NOT NULL OR binding_message IS NOT NULL)
);
CREATE INDEX backchannel_request_expires ON idp.backchannel_request (expires_at);
CREATE INDEX backchannel_request_citizen ON idp.backchannel_request (citizen_id) WHERE state = 'pending';
CREATE INDEX backchannel_request_ping ON idp.backchannel_request (ping_at) WHERE ping_at IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.backchannel_request TO idp;

-- "This was not me": this service asks this citizen nothing any more, until the citizen allows it again.
CREATE TABLE idp.backchannel_block (
    citizen_id uuid        NOT NULL REFERENCES idp.citizen,
    client_id  text        NOT NULL REFERENCES idp.client,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (citizen_id, client_id)
);
GRANT SELECT, INSERT, DELETE ON idp.backchannel_block TO idp;
