-- A client's logo as it was at registration: pages show our copy, never an address that a client names.
CREATE TABLE idp.client_logo (
    client_id  text        PRIMARY KEY REFERENCES idp.client,
    media_type text        NOT NULL CHECK (media_type IN ('image/png', 'image/jpeg', 'image/webp')),
    body       bytea       NOT NULL CHECK (octet_length(body) <= 131072),
    fetched_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.client_logo TO idp;
