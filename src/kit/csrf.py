"""A form of ours carries a token bound to the browser it was shown to; a message from another site is refused."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from kit.errors import Refusal


class CrossSite(Refusal):
    code, status, title = "cross-site", 403, "This form is no longer valid. Go back, reload the page and send it again."


class Csrf:
    """``origin`` is ours, as the browser writes it: ``https://id.example.ma``."""

    def __init__(self, secret: bytes, *, origin: str) -> None:
        self._secret = secret
        self._origin = origin

    def token(self, binding: str) -> str:
        """``binding`` is the value of the cookie that identifies the browser or the session."""
        mac = hmac.new(self._secret, b"csrf|" + binding.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    def check(self, binding: str | None, token: object, headers: Mapping[str, str]) -> None:
        """Raise CrossSite unless the form was shown by us to this browser. ``headers`` have lower-case names."""
        self.check_source(headers)
        if not binding or not isinstance(token, str):
            raise CrossSite
        if not hmac.compare_digest(self.token(binding).encode(), token.encode()):
            raise CrossSite

    def check_source(self, headers: Mapping[str, str]) -> None:
        """For a POST that no cookie lends any power (a secret link): only that no other site sent it."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise CrossSite
        # "null" is what a browser sends after a redirect or under Referrer-Policy: no-referrer.
        if headers.get("origin", self._origin) not in (self._origin, "null"):
            raise CrossSite
