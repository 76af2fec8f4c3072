-- A deposit that no scanner could look at waits as one whose revocation data is not there yet, and is no document before
-- one has.
ALTER TABLE locker.quarantine ADD COLUMN awaits_scan boolean NOT NULL DEFAULT false;
