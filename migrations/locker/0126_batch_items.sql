-- Signed data beside an item's PDF, and the documents of an item with several owners.
ALTER TABLE locker.deposit_batch_item
    ADD COLUMN data_file             text,
    ADD COLUMN data_sha256           bytea,
    ADD COLUMN data_signature_file   text,
    ADD COLUMN data_signature_sha256 bytea,
    ADD COLUMN documents             text[];                   -- document_id of each owner's, in the order of subjects
CREATE UNIQUE INDEX deposit_batch_item_data_file
    ON locker.deposit_batch_item (batch_id, data_file) WHERE data_file IS NOT NULL;
CREATE UNIQUE INDEX deposit_batch_item_data_signature_file
    ON locker.deposit_batch_item (batch_id, data_signature_file) WHERE data_signature_file IS NOT NULL;
GRANT UPDATE (documents) ON locker.deposit_batch_item TO locker;
