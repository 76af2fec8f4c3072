"""Background work in PostgreSQL: wanted in the caller's transaction, done at least once, its result written once."""
