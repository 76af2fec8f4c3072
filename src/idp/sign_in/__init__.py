"""Signing in: password, then a second factor where the level asks for one; throttled without locking people out."""
