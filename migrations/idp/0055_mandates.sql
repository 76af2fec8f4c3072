-- Who may act for whom, until when, with which services or scopes. A row grants nothing by itself: each statement that
-- gives or reads a token asks whether the mandate stands now.
CREATE TABLE idp.mandate (
    mandate_id      uuid        PRIMARY KEY,
    represented_id  uuid        NOT NULL REFERENCES idp.citizen,
    actor_id        uuid        NOT NULL REFERENCES idp.citizen,
    kind            text        NOT NULL CHECK (kind IN ('proxy', 'guardian')),
    -- NULL: all of them.
    clients         text[],
    scopes          text[],
    valid_from      timestamptz NOT NULL,
    -- A guardian's is never later than the majority of the represented.
    valid_until     timestamptz NOT NULL,
    -- Of a mandate that an officer recorded.
    legal_reference text,
    given_at        timestamptz NOT NULL DEFAULT now(),
    accepted_at     timestamptz,
    ended_at        timestamptz,
    CHECK (represented_id <> actor_id),
    CHECK (valid_from < valid_until)
);
CREATE INDEX mandate_actor ON idp.mandate (actor_id) WHERE ended_at IS NULL;
CREATE INDEX mandate_represented ON idp.mandate (represented_id) WHERE ended_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON idp.mandate TO idp;

-- For whom the citizen acts in this request: said once, by whom, and good for nothing else.
ALTER TABLE idp.interaction
    ADD COLUMN acting_chosen_by  uuid,
    ADD COLUMN acting_mandate_id uuid;
