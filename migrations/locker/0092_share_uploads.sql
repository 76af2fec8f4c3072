-- Files of the citizen's own in a share, beside share_document. What leaves is always a cleaned copy, made when it is
-- asked for: nothing of it is kept.
CREATE TABLE locker.share_upload (
    owner     text    NOT NULL,
    share_id  text    NOT NULL,
    upload_id text    NOT NULL,
    position  integer NOT NULL,
    PRIMARY KEY (owner, share_id, upload_id),
    FOREIGN KEY (owner, share_id) REFERENCES locker.share (owner, share_id),
    FOREIGN KEY (owner, upload_id) REFERENCES locker.upload (owner, upload_id)
);
GRANT SELECT, INSERT ON locker.share_upload TO locker;
