"""Certificates that are trusted for one thing. Lists name thousands, of which a judge meets a few: known by their
digest, parsed when somebody goes through them."""

from collections.abc import Iterable, Iterator, Mapping

from locker.signatures.certificate import Certificate, certificate_of


class CertificateSet:
    """``ders``: SHA-256 → DER. One that does not parse can vouch for nothing, so going through leaves it out."""

    def __init__(self, ders: Mapping[bytes, bytes]) -> None:
        self._ders = ders

    def __contains__(self, certificate: Certificate) -> bool:
        return certificate.sha256 in self._ders

    def __iter__(self) -> Iterator[Certificate]:
        return parsed(self._ders.values())


def parsed(ders: Iterable[bytes]) -> Iterator[Certificate]:
    for der in ders:
        try:
            yield certificate_of(der)
        except (ValueError, TypeError):
            continue
