import re

from kit.ids import CROCKFORD

_DOCUMENT_ID = re.compile(f"[{CROCKFORD}]{{25}}")


def document_id_of(text: str) -> str | None:
    """The document_id in a URI, or alone, as printed or typed in lower case; None for what cannot be one."""
    document_id = text.strip().rpartition("-")[2].upper()
    return document_id if _DOCUMENT_ID.fullmatch(document_id) else None
