-- Of a deposit with several owners: its rows are judged, passed and refused together.
ALTER TABLE locker.quarantine ADD COLUMN group_id text;
CREATE INDEX quarantine_group ON locker.quarantine (group_id) WHERE group_id IS NOT NULL;
