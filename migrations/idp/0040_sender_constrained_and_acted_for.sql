-- What a code and its family carry beside scopes: to which key or certificate tokens are bound (RFC 9449 §5, RFC 8705
-- §3), what was authorized in detail (RFC 9396), and who acts for whom.
-- kind: a code of the authorization endpoint, or what was given to a device code or an auth_req_id; each is redeemed by
-- its own grant only.
ALTER TABLE idp.authorization_code
    ADD COLUMN kind                  text NOT NULL DEFAULT 'authorization_code'
               CHECK (kind IN ('authorization_code', 'device_code', 'ciba')),
    ADD COLUMN dpop_jkt              text,
    ADD COLUMN authorization_details jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN actor_citizen_id      uuid,
    ADD COLUMN mandate_id            uuid,
    ALTER COLUMN redirect_uri DROP NOT NULL;
ALTER TABLE idp.token_family
    ADD COLUMN kind                  text NOT NULL DEFAULT 'authorization_code',
    ADD COLUMN cnf_jkt               text,
    ADD COLUMN cnf_x5t               text,
    ADD COLUMN authorization_details jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN actor_citizen_id      uuid,
    ADD COLUMN mandate_id            uuid;
ALTER TABLE idp.consent
    ADD COLUMN authorization_details jsonb NOT NULL DEFAULT '[]';
