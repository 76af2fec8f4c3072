"""Clients register themselves with an initial access token, and manage what they registered.

RFC 7591, RFC 7592, OpenID Connect Dynamic Client Registration 1.0.
"""
