import re
import unicodedata

from kit.i18n import strip_controls

NAME_MAX = 120
_PATH = re.compile(r"[/\\]")
_EXTENSION = re.compile(r"\.(?:pdf|jpe?g|jfif|png)$", re.IGNORECASE)


def shown_name(file_name: str | None) -> str:
    """What a person called the file, for people: no path, no control or direction mark, NFC, one line; else empty.

    Bytes are stored under a random key, so a name leads nowhere (U-20).
    """
    last = _PATH.split(file_name or "")[-1]
    clean = " ".join(strip_controls(unicodedata.normalize("NFC", last)).split())
    return _EXTENSION.sub("", clean).strip(". ")[:NAME_MAX].strip()
