"""What data is called when it is given back: by its own first bytes, never by what its sender called it."""

_STARTS = ((b"<", "application/xml"), (b"{", "application/json"), (b"[", "application/json"))
_EXTENSIONS = {
    "application/xml": "xml",
    "application/json": "json",
    "application/vnd.etsi.asic-e+zip": "asice",
}


def media_type_of(start: bytes) -> str:
    if start.startswith(b"PK\x03\x04"):
        return "application/vnd.etsi.asic-e+zip"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((media_type for first, media_type in _STARTS if text.startswith(first)), "application/octet-stream")


def extension_of(media_type: str) -> str:
    return _EXTENSIONS.get(media_type, "bin")
