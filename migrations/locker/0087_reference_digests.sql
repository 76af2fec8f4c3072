-- What an administration calls a deposit may name a person, and outlives the document: only its digest is kept.
ALTER TABLE locker.deposit_reference ADD COLUMN reference_sha256 bytea;
UPDATE locker.deposit_reference SET reference_sha256 = sha256(convert_to(administration || '|' || reference, 'UTF8'));
ALTER TABLE locker.deposit_reference DROP CONSTRAINT deposit_reference_pkey;
ALTER TABLE locker.deposit_reference DROP COLUMN reference;
ALTER TABLE locker.deposit_reference ADD PRIMARY KEY (administration, reference_sha256);
