"""Some fields of a document and nothing of the others: an SD-JWT VC.

RFC 9901, and draft-ietf-oauth-sd-jwt-vc as it was in August 2026.
"""
