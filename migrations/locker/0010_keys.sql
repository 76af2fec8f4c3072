-- Keys of the vault, all of them wrapped: nothing here opens anything without the master key.
CREATE TABLE locker.epoch_key (
    epoch        text        PRIMARY KEY CHECK (epoch ~ '^[0-9]{4}-[0-9]{2}$'),
    master_id    text        NOT NULL,
    wrapped_key  bytea       CHECK (octet_length(wrapped_key) BETWEEN 32 AND 1024),
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped_key IS NULL) = (destroyed_at IS NOT NULL))
);
GRANT SELECT, INSERT ON locker.epoch_key TO locker;
GRANT UPDATE (wrapped_key, destroyed_at) ON locker.epoch_key TO locker;

-- One key a citizen. A destroyed one stays as a tombstone, so that none is made again for the same owner.
CREATE TABLE locker.citizen_key (
    owner        text        PRIMARY KEY CHECK (octet_length(owner) BETWEEN 1 AND 255),
    epoch        text        NOT NULL,
    wrapped_key  bytea       CHECK (octet_length(wrapped_key) = 61),
    created_at   timestamptz NOT NULL DEFAULT now(),
    wrapped_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped_key IS NULL) = (destroyed_at IS NOT NULL))
);
-- What is still to be wrapped again under a newer epoch.
CREATE INDEX citizen_key_epoch ON locker.citizen_key (epoch, owner) WHERE wrapped_key IS NOT NULL;
GRANT SELECT, INSERT ON locker.citizen_key TO locker;
GRANT UPDATE (epoch, wrapped_key, wrapped_at, destroyed_at) ON locker.citizen_key TO locker;
