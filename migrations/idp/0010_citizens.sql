-- People. A row is never deleted, so that a unique identifier is never assigned again.
CREATE TABLE idp.citizen (
    citizen_id         uuid        PRIMARY KEY,
    uid                text        NOT NULL UNIQUE CHECK (uid ~ '^[2-9][0-9]{9}$'),
    state              text        NOT NULL DEFAULT 'registered'
                       CHECK (state IN ('registered', 'active', 'frozen', 'suspended', 'deceased')),
    state_changed_at   timestamptz NOT NULL DEFAULT now(),
    -- OpenID Connect standard claims, language-tagged names included (given_name#ar).
    claims             jsonb       NOT NULL,
    locale             text        NOT NULL DEFAULT 'ar' CHECK (locale IN ('ar', 'zgh', 'fr', 'en')),
    -- The number of the identity card: sealed for reading, blinded for finding a second enrolment.
    cnie_sealed        bytea,
    cnie_blind         bytea       UNIQUE,
    proofing           text        NOT NULL CHECK (proofing IN ('none', 'remote', 'desk')),
    -- The registrar's own number of the enrolment, so that a bulk file can be sent twice.
    external_reference text        UNIQUE,
    -- Grants and refresh families that are older are ended: moved by a new password and by each change of state.
    tokens_valid_from  timestamptz NOT NULL DEFAULT now(),
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON idp.citizen TO idp;
GRANT UPDATE (state, state_changed_at, claims, locale, tokens_valid_from, updated_at) ON idp.citizen TO idp;
