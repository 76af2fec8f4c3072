"""A client gives a token back (RFC 7009)."""
