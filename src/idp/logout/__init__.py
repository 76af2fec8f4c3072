"""A relying party asks to sign its citizen out (OpenID Connect RP-Initiated Logout 1.0)."""
