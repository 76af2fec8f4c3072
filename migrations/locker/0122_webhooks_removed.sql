-- A webhook that its owner has no use for any more: its keys go at once, its row with the last of its messages.
ALTER TABLE locker.webhook DROP CONSTRAINT webhook_disabled_reason_check;
ALTER TABLE locker.webhook ADD CONSTRAINT webhook_disabled_reason_check
    CHECK (disabled_reason IN ('gone', 'failing', 'owner', 'officer', 'removed'));
GRANT DELETE ON locker.webhook TO locker;
