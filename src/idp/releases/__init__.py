"""Which claims went to whom: by name of field, never by value."""
