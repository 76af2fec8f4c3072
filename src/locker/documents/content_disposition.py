"""File names in a header (RFC 6266), whatever somebody called the document."""

import re
import unicodedata
from urllib.parse import quote

from kit.i18n import strip_controls

_UNSAFE = re.compile(r'[\\/:*?"<>|%;=\x00-\x1f\x7f]+')
_NAME_MAX = 120


def attachment(name: str, extension: str) -> str:
    """``attachment`` with an ASCII name for old programs and the real one in UTF-8 (RFC 8187)."""
    clean = _UNSAFE.sub(" ", strip_controls(unicodedata.normalize("NFC", name)))
    clean = " ".join(clean.split()).strip(". ")[:_NAME_MAX] or "document"
    ascii_name = re.sub(r"[^A-Za-z0-9._ ()-]+", "_", clean).strip("_. ") or "document"
    return f"attachment; filename=\"{ascii_name}.{extension}\"; filename*=UTF-8''{quote(clean, safe='')}.{extension}"
