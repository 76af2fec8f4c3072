-- Reference data: few rows, the same everywhere, never deleted by the app (so no foreign key guards them: on a results
-- day every deposit would lock the same row of its administration).
CREATE TABLE locker.administration (
    administration text        PRIMARY KEY CHECK (administration ~ '^[a-z][a-z0-9]*([.][a-z0-9]+)+$'),
    names          jsonb       NOT NULL,                       -- {"ar": …, "fr": …, "zgh": …, "en": …}
    state          text        NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
    state_reason   text,
    version        bigint      NOT NULL DEFAULT 1,             -- moves with every change, its seal certificates included
    registered_at  timestamptz NOT NULL DEFAULT now(),
    changed_at     timestamptz NOT NULL DEFAULT now()
);

-- The provider's machine clients that speak for an administration.
CREATE TABLE locker.administration_client (
    client_id      text        PRIMARY KEY,
    administration text        NOT NULL REFERENCES locker.administration,
    registered_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX administration_client_administration ON locker.administration_client (administration);

CREATE TABLE locker.document_type (
    type             text        PRIMARY KEY CHECK (type ~ '^[A-Z0-9]{2,16}$'),
    version          integer     NOT NULL DEFAULT 1,
    names            jsonb       NOT NULL,
    category         text        NOT NULL,
    fields_schema    text        NOT NULL,                     -- JSON Schema 2020-12; text, because jsonb forgets the order of members
    level_min        text        NOT NULL DEFAULT 'B-T' CHECK (level_min IN ('B-B', 'B-T', 'B-LT', 'B-LTA')),
    active_content   text[]      NOT NULL DEFAULT '{}',        -- kinds that a document of this type may have
    validity_days    integer     CHECK (validity_days > 0),    -- for a deposit that names no valid_until
    retention_days   integer     CHECK (retention_days > 0),
    registered_at    timestamptz NOT NULL DEFAULT now(),
    changed_at       timestamptz NOT NULL DEFAULT now()
);

-- Which administration may deposit which type.
CREATE TABLE locker.entitlement (
    administration text        NOT NULL REFERENCES locker.administration,
    type           text        NOT NULL REFERENCES locker.document_type,
    granted_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (administration, type)
);

CREATE TABLE locker.seal_certificate (
    administration text        NOT NULL REFERENCES locker.administration,
    sha256         bytea       NOT NULL,
    der            bytea       NOT NULL,
    subject        text        NOT NULL,
    not_before     timestamptz NOT NULL,
    not_after      timestamptz NOT NULL,
    registered_at  timestamptz NOT NULL DEFAULT now(),
    withdrawn_at   timestamptz,
    PRIMARY KEY (administration, sha256)
);

-- any: for signers, time stamps and OCSP alike.
CREATE TABLE locker.trust_anchor (
    sha256       bytea       NOT NULL,
    purpose      text        NOT NULL CHECK (purpose IN ('any', 'time-stamp', 'ocsp')),
    der          bytea       NOT NULL,
    subject      text        NOT NULL,
    not_after    timestamptz NOT NULL,
    added_at     timestamptz NOT NULL DEFAULT now(),
    withdrawn_at timestamptz,
    PRIMARY KEY (sha256, purpose)
);

-- What a validation may need and may never fetch by itself: intermediate certificates, CRLs, OCSP responses.
CREATE TABLE locker.trust_material (
    sha256      bytea       PRIMARY KEY,
    kind        text        NOT NULL CHECK (kind IN ('certificate', 'crl', 'ocsp')),
    der         bytea       NOT NULL,
    issuer      text        NOT NULL,                          -- of a CRL or certificate; a newer CRL takes the older's place
    this_update timestamptz,
    next_update timestamptz,
    added_at    timestamptz NOT NULL DEFAULT now()
);

-- One row; moves in the transaction that changes an anchor or a material, so that caches know by one number.
CREATE TABLE locker.trust_version (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint  NOT NULL
);
INSERT INTO locker.trust_version (version) VALUES (1);

GRANT SELECT, INSERT, UPDATE ON locker.administration, locker.document_type, locker.seal_certificate,
                                locker.trust_anchor, locker.trust_version TO locker;
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.administration_client, locker.entitlement, locker.trust_material TO locker;

-- Citizen-owned from here: owner, the locker's pairwise sub, leads every key.

-- expired is not a state: state = 'valid' AND valid_until < (now() AT TIME ZONE 'UTC')::date.
CREATE TABLE locker.document (
    owner             text        NOT NULL,
    document_id       text        NOT NULL,                    -- 125 random bits, Crockford base32; the last part of the URI
    uri               text        NOT NULL,                    -- administration-TYPE-document_id
    administration    text        NOT NULL,
    type              text        NOT NULL,
    type_version      integer     NOT NULL,
    state             text        NOT NULL DEFAULT 'valid' CHECK (state IN ('valid', 'suspended', 'revoked', 'superseded')),
    state_reason      text,                                    -- a code of a list, never prose
    state_changed_at  timestamptz NOT NULL DEFAULT now(),
    valid_from        date,
    valid_until       date,                                    -- the last day on which it is valid (UTC)
    deposited_at      timestamptz NOT NULL DEFAULT now(),
    deposited_by      text        NOT NULL,                    -- client_id

    chain_id          text        NOT NULL,                    -- document_id of the first version
    version           integer     NOT NULL DEFAULT 1,
    replaces          text,                                    -- document_id of the version before
    replaced_by       text,                                    -- document_id of the version after

    object_key        text        NOT NULL,                    -- random, names nobody
    wrapped_key       bytea,                                   -- the document key under the citizen's key; NULL: destroyed
    epoch             text        NOT NULL,
    fields_sealed     bytea       NOT NULL,                    -- JSON object of the type's schema, AES-256-GCM under the document key
    sha256            bytea       NOT NULL,                    -- of the original bytes
    length            bigint      NOT NULL,
    ciphertext_sha256 bytea       NOT NULL,
    format            text        NOT NULL,                    -- of the sealed object
    media_type        text        NOT NULL DEFAULT 'application/pdf',
    pages             integer     NOT NULL,

    indication        text        NOT NULL,
    level             text        NOT NULL,
    signer            text        NOT NULL,                    -- the seal certificate's subject
    signed_at         timestamptz,                             -- proven where there is a time stamp
    verdict           jsonb       NOT NULL,                    -- the judge's whole report at deposit
    trust_version     text        NOT NULL,

    PRIMARY KEY (owner, document_id),
    UNIQUE (owner, chain_id, version),
    FOREIGN KEY (owner, replaces) REFERENCES locker.document (owner, document_id),
    FOREIGN KEY (owner, replaced_by) REFERENCES locker.document (owner, document_id)
);
CREATE INDEX document_newest ON locker.document (owner, deposited_at DESC, document_id DESC);

-- Routing, not content: from the printed URI, or its last part, to the owner who leads every other key. Distributed by
-- document_id where document is distributed by owner, therefore no foreign key between them.
CREATE TABLE locker.document_uri (
    document_id text PRIMARY KEY,
    uri         text NOT NULL,
    owner       text NOT NULL
);

-- How much each citizen holds, kept by the deposit's own transaction, so that a limit needs no count(*).
CREATE TABLE locker.holding (
    owner     text   PRIMARY KEY,
    documents bigint NOT NULL,
    bytes     bigint NOT NULL
);

-- Written and committed before the first byte goes to the object store; gone in the transaction that writes the
-- document. What is older than the grace is an orphan.
CREATE TABLE locker.deposit_intent (
    owner      text        NOT NULL,
    object_key text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    swept_at   timestamptz,                                    -- the sweeper has it: no deposit may finish on it any more
    PRIMARY KEY (owner, object_key)
);
CREATE INDEX deposit_intent_age ON locker.deposit_intent (created_at);

-- What happened, for those who act on it later; written in the transaction that it describes.
CREATE TABLE locker.outbox (
    owner        text        NOT NULL,
    outbox_id    uuid        NOT NULL,
    topic        text        NOT NULL,
    body         jsonb       NOT NULL,                         -- identifiers only
    created_at   timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    PRIMARY KEY (owner, outbox_id)
);
CREATE INDEX outbox_waiting ON locker.outbox (created_at) WHERE delivered_at IS NULL;

-- Owned by clients: one key, one deposit (draft-ietf-httpapi-idempotency-key).
CREATE TABLE locker.idempotency (
    client_id      text        NOT NULL,
    key            text        NOT NULL,
    request_sha256 bytea       NOT NULL,
    attempt        uuid        NOT NULL,                       -- who holds it; an attempt that was overtaken cannot answer
    started_at     timestamptz NOT NULL DEFAULT now(),
    answer         jsonb,                                      -- NULL while in flight
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (client_id, key)
);
CREATE INDEX idempotency_expiry ON locker.idempotency (expires_at);

GRANT SELECT, INSERT ON locker.document, locker.document_uri TO locker;
GRANT UPDATE (state, state_reason, state_changed_at, replaced_by, wrapped_key, epoch) ON locker.document TO locker;
GRANT SELECT, INSERT, UPDATE ON locker.holding TO locker;
GRANT SELECT, INSERT, UPDATE, DELETE ON locker.deposit_intent, locker.outbox, locker.idempotency TO locker;
