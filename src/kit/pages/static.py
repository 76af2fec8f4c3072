"""Static files: read once, named by their content, compressed once, kept by browsers for ever."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from litestar.handlers import ASGIRouteHandler, asgi
from litestar.types import Receive, Scope, Send

FOLDER = Path(__file__).parent.parent / "static"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSED = {".css", ".js", ".svg", ".txt"}
_URL = re.compile(r"url\((['\"]?)(?!data:|#)([^)'\"]+)\1\)")


class _File(msgspec.Struct, frozen=True):
    headers: list[tuple[bytes, bytes]]
    body: bytes
    gzip_headers: list[tuple[bytes, bytes]] | None
    gzip_body: bytes


class StaticFiles:
    """An ASGI application for what stands in ``folders``; a later folder's file replaces an earlier one's.

    ``href("khizana.css")`` is ``<prefix>/khizana.<hash>.css``. A ``url(…)`` in a style sheet is rewritten to the hashed
    name of its target, so a changed font changes the style sheet's name too.
    """

    def __init__(self, prefix: str, folders: tuple[Path, ...] = (FOLDER,)) -> None:
        self.prefix = prefix.rstrip("/")
        sources = {
            file.relative_to(folder).as_posix(): file
            for folder in folders
            for file in sorted(folder.rglob("*"))
            if file.suffix in _TYPES
        }
        self._names: dict[str, str] = {}
        self._files: dict[str, _File] = {}
        # Style sheets last: they name the others.
        for name in sorted(sources, key=lambda name: (name.endswith(".css"), name)):
            self._add(name, sources[name].read_bytes())

    def href(self, name: str) -> str:
        """KeyError for a file that does not exist: a page never links to nothing."""
        return f"{self.prefix}/{self._names[name]}"

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes on the wire, compressed, by plain name."""
        return {name: len(self._files[hashed].gzip_body) for name, hashed in self._names.items()}

    def handler(self) -> ASGIRouteHandler:
        """For Litestar. Behind its router, which has taken the prefix off, as well as mounted by hand."""
        return asgi(self.prefix, is_mount=True, copy_scope=True)(self.__call__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope.get("method", "GET")
        path = scope["path"].removeprefix(self.prefix).strip("/")
        file = self._files.get(path)
        if file is None or method not in ("GET", "HEAD"):
            allowed = [] if file is None else [(b"allow", b"GET, HEAD")]
            await _answer(send, 404 if file is None else 405, [(b"content-length", b"0"), *allowed], b"")
            return
        headers, body = file.headers, file.body
        if file.gzip_headers is not None and _accepts_gzip(scope):
            headers, body = file.gzip_headers, file.gzip_body
        await _answer(send, 200, headers, b"" if method == "HEAD" else body)

    def _add(self, name: str, body: bytes) -> None:
        suffix = Path(name).suffix
        if suffix == ".css":
            body = _URL.sub(lambda found: self._rewritten(name, found), body.decode()).encode()
        hashed = f"{name.removesuffix(suffix)}.{hashlib.sha256(body).hexdigest()[:12]}{suffix}"
        self._names[name] = hashed
        headers = [
            (b"content-type", _TYPES[suffix].encode()),
            (b"cache-control", b"public, max-age=31536000, immutable"),
        ]
        if suffix in _COMPRESSED:
            headers.append((b"vary", b"accept-encoding"))
            packed = gzip.compress(body, 9, mtime=0)
            gzip_headers = [*headers, (b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(packed))]
        else:
            packed, gzip_headers = body, None
        self._files[hashed] = _File([*headers, (b"content-length", b"%d" % len(body))], body, gzip_headers, packed)

    def _rewritten(self, style_sheet: str, found: re.Match[str]) -> str:
        target = (Path(style_sheet).parent / found[2]).as_posix()
        return f"url({self.prefix}/{self._names[target]})"


def _accepts_gzip(scope: Any) -> bool:
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            return any(_is_gzip(part) for part in value.decode("latin-1").lower().split(","))
    return False


def _is_gzip(part: str) -> bool:
    coding, _, parameter = part.strip().partition(";")
    return coding.strip() == "gzip" and parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
