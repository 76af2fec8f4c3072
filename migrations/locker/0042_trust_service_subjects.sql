-- The subjects of a service's certificates, prepared for comparison, so that a judge need not parse thousands of
-- certificates to find one. Empty in rows from before: then they are parsed.
ALTER TABLE locker.trust_service ADD COLUMN subjects text[] NOT NULL DEFAULT '{}';
