-- Printed copies: the short identifier on the paper leads to the document whose state it asks for.
CREATE TABLE locker.printed (
    owner       text        NOT NULL,
    printed_id  text        NOT NULL,                          -- 65 random bits, Crockford base32
    document_id text        NOT NULL,
    printed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, printed_id),
    FOREIGN KEY (owner, document_id) REFERENCES locker.document (owner, document_id)
);
-- 65 random bits need no uniqueness constraint; a paper knows no owner.
CREATE INDEX printed_identifier ON locker.printed (printed_id);
GRANT SELECT, INSERT ON locker.printed TO locker;
