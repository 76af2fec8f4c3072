ALTER INDEX idp.audit_actor ATTACH PARTITION idp.audit_default_actor;
