"""What goes into the worker process and what comes out."""

from typing import Literal

import msgspec


class PageWanted(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    """The PDF: documents go by path, never through the pipe."""
    page: int
    """From 1."""
    width_px: int
    pixels_max: int
    watermark: tuple[str, ...] = ()
    """Lines, each in its own script, repeated across the picture; none for the citizen's own eyes."""


class PagePicture(msgspec.Struct, frozen=True, kw_only=True):
    png: bytes = b""
    refused: Literal["", "not-a-pdf", "no-such-page"] = ""
