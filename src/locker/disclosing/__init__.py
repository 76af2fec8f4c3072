"""Some fields of a document and nothing of the others: an SD-JWT VC (RFC 9901, draft-ietf-oauth-sd-jwt-vc-25)."""
