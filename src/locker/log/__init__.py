"""The audit as a transparency log (RFC 6962, C2SP tlog-tiles): docs/log.md."""
