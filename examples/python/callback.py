"""The smallest web server that can be somebody's redirect URI."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urljoin, urlsplit


class Callback:
    """Listens from the start, so that nobody comes back too early."""

    def __init__(self, redirect_uri: str) -> None:
        self._redirect_uri, self._answer = redirect_uri, ""
        parts = urlsplit(redirect_uri)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = urlsplit(self.path).path == parts.path
                self.send_response(200 if found else 404)
                self.end_headers()
                if found:
                    outer._answer = urljoin(redirect_uri, self.path)
                    self.wfile.write(b"Thank you. You may close this window.")

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer((parts.hostname or "localhost", parts.port or 80), Handler)

    def wait(self) -> str:
        """The address, with its parameters, to which the provider sent the browser back."""
        while not self._answer:
            self._server.handle_request()
        self._server.server_close()
        return self._answer
