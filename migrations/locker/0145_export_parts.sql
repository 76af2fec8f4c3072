-- An export is several objects, each small enough for one PUT of any S3. What is made stands here while the rest is on its
-- way, so that whoever follows a worker that died goes on behind it.
CREATE TABLE locker.export_part (
    owner             text        NOT NULL,
    export_id         text        NOT NULL,
    number            integer     NOT NULL CHECK (number >= 0),  -- from 0, without a gap
    object_key        text        NOT NULL,
    wrapped_key       bytea       NOT NULL,
    epoch             text        NOT NULL,
    sha256            bytea       NOT NULL,
    length            bigint      NOT NULL,                      -- of what is sealed: the ZIP's bytes, and the index behind them
    zip_length        bigint      NOT NULL CHECK (zip_length > 0),
    ciphertext_sha256 bytea       NOT NULL,
    format            text        NOT NULL,
    checkpoint        text        NOT NULL,                      -- JSON: up to where in the ZIP things are whole, and what follows
    PRIMARY KEY (owner, export_id, number),
    FOREIGN KEY (owner, export_id) REFERENCES locker.export
);
CREATE INDEX export_part_object ON locker.export_part (object_key COLLATE "C");
GRANT SELECT, INSERT, DELETE ON locker.export_part TO locker;

-- NULL in one that was made before: one object, named in its own row.
ALTER TABLE locker.export ADD COLUMN parts integer CHECK (parts > 0);
-- How far the making ever came: while it comes further, it is not what kills its workers.
ALTER TABLE locker.export ADD COLUMN reached bigint NOT NULL DEFAULT 0;
ALTER TABLE locker.export DROP CONSTRAINT export_check;
ALTER TABLE locker.export ADD CHECK ((state = 'ready') = (sha256 IS NOT NULL));
GRANT UPDATE (parts, reached) ON locker.export TO locker;
