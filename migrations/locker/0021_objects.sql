-- Reconcile asks of each object whether a document promises it.
CREATE INDEX document_object ON locker.document (object_key);
CREATE INDEX outbox_age ON locker.outbox (created_at);
