"""Which algorithms count until when: the dated table in ``algorithms.toml``, by the time that can be proven."""

import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path

_NEVER = datetime.max.replace(tzinfo=UTC)


class AlgorithmTable:
    """As ``algorithms.toml`` has it; ``name`` and ``version`` stand in each verdict."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            table = tomllib.load(file)
        self.name: str = table["name"]
        self.version: str = table["version"]
        self.digests: dict[str, datetime] = {name: _end(entry) for name, entry in table["digest"].items()}
        self._certificate_digest = self.digests | {
            name: _end(entry) for name, entry in table["certificate_digest"].items()
        }
        self._keys = {
            kind: sorted(((int(bits), _end(entry)) for bits, entry in sizes.items()), reverse=True)
            for kind, sizes in table["key"].items()
        }

    def digest_until(self, name: str, *, of_certificate: bool = False) -> datetime | None:
        """The end of this digest's time, or None where it never counted."""
        known = self._certificate_digest if of_certificate else self.digests
        return known.get(name.lower().replace("-", ""))

    def key_until(self, kind: str, bits: int) -> datetime | None:
        return next((until for least, until in self._keys.get(kind, ()) if bits >= least), None)


def _end(entry: dict[str, date]) -> datetime:
    return datetime.combine(entry["until"], time(), UTC) if "until" in entry else _NEVER


ALGORITHMS = AlgorithmTable(Path(__file__).with_name("algorithms.toml"))


def digest_until(name: str) -> datetime | None:
    """The end of this digest's time, or None where it never counted."""
    return ALGORITHMS.digest_until(name)


def key_until(kind: str, bits: int) -> datetime | None:
    return ALGORITHMS.key_until(kind, bits)
