"""Where a list goes on: opaque, authenticated, and bound to whose list it is."""

import base64
import binascii
import datetime as dt
import hashlib
import hmac

import msgspec

from kit.errors import Malformed


class CursorRefused(Malformed):
    code, title = "invalid-cursor", "This list cannot be continued from here. Start again from its first page."


class Position(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page: lists run from the newest to the oldest."""

    at: dt.datetime
    row_id: str


_TAG_BYTES = 16
_CURSOR_MAX = 400


class Cursors:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, position: Position, *, owner: str, of: str) -> str:
        """``of`` names the list; a cursor of one list or one citizen opens no other."""
        body = msgspec.json.encode(position)
        return base64.urlsafe_b64encode(self._tag(body, owner, of) + body).rstrip(b"=").decode()

    def read(self, cursor: str, *, owner: str, of: str) -> Position:
        if len(cursor) > _CURSOR_MAX:
            raise CursorRefused
        try:
            data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise CursorRefused from None
        tag, body = data[:_TAG_BYTES], data[_TAG_BYTES:]
        # The text itself is compared, too: base64 has spare bits, so one cursor would have several spellings.
        if not hmac.compare_digest(tag, self._tag(body, owner, of)):
            raise CursorRefused
        if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != cursor:
            raise CursorRefused
        return msgspec.json.decode(body, type=Position)

    def _tag(self, body: bytes, owner: str, of: str) -> bytes:
        bound = f"cursor|{of}|{len(owner)}|{owner}|".encode() + body
        return hmac.new(self._secret, bound, hashlib.sha256).digest()[:_TAG_BYTES]
