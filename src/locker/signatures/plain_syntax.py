"""Objects that are written as ISO 32000-2 §7.2 and §7.3 say. Readers forgive the rest, each in its own way: one takes
``>b`` for the end of a dictionary, and another reads on in it.
"""

import re

_TOKEN = re.compile(
    rb"[\x00\t\n\f\r ]+|%[^\r\n]*|<[0-9A-Fa-f\x00\t\n\f\r ]*>"
    rb"|/[^\x00\t\n\f\r ()<>\[\]{}/%]*"
    rb"|(?P<open><<|\[)|(?P<close>>>|\])|(?P<text>\()"
    rb"|(?P<word>[^\x00\t\n\f\r ()<>\[\]{}/%]+)"
)
_TEXT = re.compile(rb"[^()\\]+|\\.|(?P<open>\()|(?P<close>\))", re.DOTALL)
_WORD = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)|true|false|null|R")
_ENDS = {b"endobj", b"stream", b"startxref"}
_CLOSED_BY = {b"<<": b">>", b"[": b"]"}
_DEPTH_MAX = 200


def is_plain(data: bytes, start: int) -> bool:
    """Objects from ``start`` to the word that ends them, or to the end of ``data``."""
    within: list[bytes] = []
    while start < len(data):
        token = _TOKEN.match(data, start)
        if token is None:
            return False
        start = token.end()
        match token.lastgroup:
            case "open":
                within.append(_CLOSED_BY[token[0]])
                if len(within) > _DEPTH_MAX:
                    return False
            case "close":
                if not within or within.pop() != token[0]:
                    return False
            case "text":
                after = _after_text(data, start)
                if after is None:
                    return False
                start = after
            case "word":
                if token[0] in _ENDS:
                    return not within
                if not _WORD.fullmatch(token[0]):
                    return False
    return not within


def _after_text(data: bytes, start: int) -> int | None:
    depth = 1
    while part := _TEXT.match(data, start):
        start = part.end()
        if part.lastgroup == "open":
            depth += 1
        elif part.lastgroup == "close":
            depth -= 1
            if depth == 0:
                return start
    return None
