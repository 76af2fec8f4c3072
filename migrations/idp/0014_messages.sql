-- Messages to citizens, written in the transaction that is their reason. Recipient and text are sealed, because the
-- text may hold a one-time code.
CREATE TABLE idp.outbox (
    message_id   uuid        PRIMARY KEY,
    citizen_id   uuid        NOT NULL REFERENCES idp.citizen,
    kind         text        NOT NULL,
    channel      text        NOT NULL CHECK (channel IN ('sms', 'email')),
    sealed       bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    tries        smallint    NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL DEFAULT now(),
    -- After this the message has lost its meaning (a code) and is not sent any more.
    expires_at   timestamptz NOT NULL,
    sent_at      timestamptz
);
CREATE INDEX outbox_waiting ON idp.outbox (next_try_at) WHERE sent_at IS NULL;
CREATE INDEX outbox_created_at ON idp.outbox (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idp.outbox TO idp;
