"""A service asks a citizen who is not before its browser: on the telephone, at a counter (OpenID Connect CIBA)."""
