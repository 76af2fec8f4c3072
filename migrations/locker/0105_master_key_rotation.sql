-- An epoch key goes under another master key: its row then names that one.
GRANT UPDATE (master_id) ON locker.epoch_key TO locker;
