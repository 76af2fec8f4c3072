"""A logo that a client names is fetched once, at registration, and shown from our own origin (O-31)."""

import msgspec

from kit.outbound.fetch import Fetcher, FetchRefused

LOGO_BYTES_MAX = 131_072


class Logo(msgspec.Struct, frozen=True):
    media_type: str
    body: bytes


async def fetch_logo(fetcher: Fetcher, uri: str) -> Logo | None:
    """None where it cannot be had or is no PNG, JPEG or WebP, whatever its header says."""
    try:
        fetched = await fetcher.get(uri, accept="image/png, image/jpeg, image/webp", body_max_bytes=LOGO_BYTES_MAX)
    except FetchRefused:
        return None
    media_type = _media_type(fetched.body)
    if fetched.status != 200 or media_type is None:
        return None
    return Logo(media_type, fetched.body)


def _media_type(body: bytes) -> str | None:
    """By its first bytes. An SVG is a document that may hold scripts, and is none of these."""
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body.startswith(b"RIFF") and body[8:12] == b"WEBP":
        return "image/webp"
    return None
