-- What services may ask citizens' documents for at sign-in: registered by officers, as the locker's (khizana purpose).
CREATE TABLE idp.document_purpose (
    client_id     text        NOT NULL,
    purpose_id    text        NOT NULL CHECK (purpose_id ~ '^[a-z][a-z0-9-]{0,63}$'),
    purpose       jsonb       NOT NULL,                        -- what for: {"ar": …, "fr": …, "zgh": …, "en": …}
    documents     jsonb       NOT NULL,                        -- [{"type": …, "fields": […] or null}]
    registered_at timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT now(),
    withdrawn_at  timestamptz,
    PRIMARY KEY (client_id, purpose_id)
);

-- Requests that were wider than what is registered, by who proved to be the client: anybody may read it.
CREATE TABLE idp.document_figure (
    client_id text   NOT NULL,
    month     date   NOT NULL,
    refused   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (client_id, month)
);

GRANT SELECT, INSERT, UPDATE ON idp.document_purpose, idp.document_figure TO idp;
