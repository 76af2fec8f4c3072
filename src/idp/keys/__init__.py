"""Signing keys and the secrets that derive from one root."""
