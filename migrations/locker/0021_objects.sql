-- Reconcile walks rows and objects in the order of their keys, which is that of bytes.
CREATE INDEX document_object ON locker.document (object_key COLLATE "C");
CREATE INDEX outbox_age ON locker.outbox (created_at);
