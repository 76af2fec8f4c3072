CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_default_actor ON idp.audit_default (actor);
