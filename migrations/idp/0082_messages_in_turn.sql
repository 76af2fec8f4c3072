-- What waits on a channel: first what somebody waits for (0: one-time codes, and what a service asks just now), then
-- notices (1). And what was never sent, by when it is past its use.
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbox_in_turn ON idp.outbox
    (channel, (CASE WHEN kind LIKE 'code.%' OR kind = 'service.asks' THEN 0 ELSE 1 END), next_try_at)
    WHERE sent_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbox_past_use ON idp.outbox (expires_at) WHERE sent_at IS NULL;
