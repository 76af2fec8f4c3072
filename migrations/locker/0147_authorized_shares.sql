-- Documents that a citizen allowed a service at sign-in (authorization details, RFC 9396) are a share that only that
-- service opens, while the citizen's connection with it stands at the provider: NULL for every other share.
ALTER TABLE locker.share ADD COLUMN grant_id text;

-- What was made of which answer of the citizen: asking again gives the same share.
CREATE TABLE locker.authorized_share (
    owner       text        NOT NULL,
    grant_id    text        NOT NULL,                          -- the provider's word for the connection
    detail_key  bytea       NOT NULL,                          -- of the detail; of one for once, and of that one answer
    client_id   text        NOT NULL,
    purpose_id  text        NOT NULL,
    share_id    text        NOT NULL,                          -- the newest one, where the detail is until a day
    link_sealed bytea       NOT NULL,                          -- its address, for the service alone
    over_at     timestamptz NOT NULL,                          -- nobody can ask for it again after that
    made_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, grant_id, detail_key)
);
CREATE INDEX authorized_share_over ON locker.authorized_share (over_at);

GRANT SELECT, INSERT, DELETE ON locker.authorized_share TO locker;
GRANT UPDATE (share_id, link_sealed, made_at) ON locker.authorized_share TO locker;
