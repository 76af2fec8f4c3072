"""Seals that the locker makes for an administration: prepared, signed by its key, time-stamped, level by level."""
