-- An erasure looks for its citizen in every table, also among what has ended: of codes there are those of a week, of
-- messages and notices those of days, and sessions, connections and mandates stay for longer.
CREATE INDEX CONCURRENTLY IF NOT EXISTS authorization_code_citizen ON idp.authorization_code (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS authorization_code_actor ON idp.authorization_code (actor_citizen_id)
    WHERE actor_citizen_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS backchannel_request_of ON idp.backchannel_request (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS consent_of ON idp.consent (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS interaction_acting ON idp.interaction (acting_chosen_by)
    WHERE acting_chosen_by IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS logout_notice_citizen ON idp.logout_notice (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mandate_of ON idp.mandate (represented_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mandate_by ON idp.mandate (actor_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbox_citizen ON idp.outbox (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS recovery_link_citizen ON idp.recovery_link (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS session_of ON idp.session (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS sign_in_alert_citizen ON idp.sign_in_alert (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS token_family_of ON idp.token_family (citizen_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS token_family_actor ON idp.token_family (actor_citizen_id)
    WHERE actor_citizen_id IS NOT NULL;
