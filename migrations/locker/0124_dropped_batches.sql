-- A manifest that was refused cannot be opened any more, whatever is still under way; its lines go at once.
ALTER TABLE locker.deposit_batch DROP CONSTRAINT deposit_batch_state_check;
ALTER TABLE locker.deposit_batch
    ADD CONSTRAINT deposit_batch_state_check CHECK (state IN ('receiving', 'open', 'dropped'));
