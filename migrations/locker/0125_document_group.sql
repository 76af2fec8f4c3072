-- Which documents were deposited together for several owners. Random identifiers and nobody's name, so it outlives an
-- owner who is erased: by the address of that owner's document, too, its administration revokes it for those who are left.
CREATE TABLE locker.document_group (
    document_id text PRIMARY KEY,
    group_id    text NOT NULL
);
INSERT INTO locker.document_group (document_id, group_id)
SELECT document_id, group_id FROM locker.document_uri WHERE group_id IS NOT NULL;
GRANT SELECT, INSERT ON locker.document_group TO locker;
