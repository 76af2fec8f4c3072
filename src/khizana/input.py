"""What a command reads: one JSON file, or standard input, decoded into the action's own struct."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from khizana.cli import CommandRefused
from kit import strict_json

T = TypeVar("T")

FILE_MAX_BYTES = 50_000_000
LINE_MAX_BYTES = 1_000_000


def read_json(file: str, wanted: type[T]) -> T:
    """``-`` is standard input."""
    return decoded(_read(file), wanted, where=file)


def decoded(data: bytes, wanted: type[T], *, where: str) -> T:
    try:
        return strict_json.decode(data, wanted)
    except msgspec.ValidationError as fault:
        raise CommandRefused("invalid", f"{where}: {fault}") from None
    except msgspec.DecodeError as fault:
        raise CommandRefused("malformed", f"{where}: this is not JSON: {fault}") from None


def lines(file: str) -> list[bytes]:
    """The lines of an NDJSON file that hold something."""
    return [line for line in _read(file).splitlines() if line.strip()]


def is_bulk(file: str) -> bool:
    return file.endswith((".ndjson", ".jsonl"))


def _read(file: str) -> bytes:
    try:
        data = sys.stdin.buffer.read(FILE_MAX_BYTES + 1) if file == "-" else _bounded(Path(file))
    except OSError as fault:
        raise CommandRefused("unreadable", f"{file}: {fault.strerror}") from None
    if len(data) > FILE_MAX_BYTES:
        raise CommandRefused("too-large", f"{file}: at most {FILE_MAX_BYTES} bytes; split it")
    return data


def _bounded(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(FILE_MAX_BYTES + 1)


def pem_blocks(files: list[str]) -> Iterator[str]:
    """Certificates and lists of revocation as text: PEM as it is, split; anything else as DER in base64."""
    import base64
    import re

    for file in files:
        data = _read(file)
        blocks = re.findall(rb"-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----", data, re.DOTALL)
        if blocks:
            yield from (block.decode("ascii", "replace") for block in blocks)
        else:
            yield base64.b64encode(data).decode()


def shown(value: Any) -> Any:
    """Structs of bytes and dates as JSON knows them."""
    return msgspec.to_builtins(value)
