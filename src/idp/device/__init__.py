"""Devices without a browser of their own, counters and televisions: the citizen types a code elsewhere (RFC 8628)."""
