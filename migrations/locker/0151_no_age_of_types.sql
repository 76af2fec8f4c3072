-- The index document_kept_from took its place; no version asks by it.
DROP INDEX CONCURRENTLY IF EXISTS locker.document_type_age;
