-- Evidence records (RFC 4998): one time stamp over the copies of many documents, renewed for all of them at once.
CREATE TABLE locker.evidence_record (
    record_id        uuid        PRIMARY KEY,
    state            text        NOT NULL DEFAULT 'making' CHECK (state IN ('making', 'held', 'lapsed')),
    documents        integer     NOT NULL,
    begun_at         timestamptz NOT NULL,
    digest_algorithm text,                                     -- of the newest chain's tree
    renew_by         timestamptz,
    algorithms       text[],
    attempt          uuid,
    attempts         integer     NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz NOT NULL,
    failure          text
);
CREATE INDEX evidence_record_renew_by ON locker.evidence_record (renew_by) WHERE state <> 'lapsed';

-- Written once each; a second one for the same place cannot be.
CREATE TABLE locker.archive_time_stamp (
    record_id        uuid        NOT NULL,
    chain            integer     NOT NULL,
    position         integer     NOT NULL,                     -- 1 has a hash tree, the others cover the one before
    digest_algorithm text        NOT NULL,
    time_stamp       bytea       NOT NULL,                     -- a token of RFC 3161: a CMS ContentInfo
    time             timestamptz NOT NULL,
    PRIMARY KEY (record_id, chain, position)
);

-- Each document's way up to the first time stamp of each chain.
CREATE TABLE locker.evidence_tree (
    owner            text        NOT NULL,
    document_id      text        NOT NULL,
    record_id        uuid        NOT NULL,
    chain            integer     NOT NULL,
    reduced_hashtree bytea       NOT NULL,
    covered_bytes    bigint      NOT NULL,                     -- of the copy, from its start: later time stamps come after
    PRIMARY KEY (owner, document_id, record_id, chain)
);
GRANT SELECT, INSERT, UPDATE ON locker.evidence_record TO locker;
GRANT SELECT, INSERT ON locker.archive_time_stamp, locker.evidence_tree TO locker;
