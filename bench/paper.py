"""Documents of a wanted size: one page of text and a picture of noise, sealed as an administration seals."""

import secrets
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from khizana.demo.pki import Pki
from locker.signatures.seal import LocalTimeStamper, Sealer, seal

LINES = 40
SEAL_BYTES = 12_700
"""What sealing adds, about."""


class Press:
    """Seals for one administration."""

    def __init__(self, pki: Pki, administration: str) -> None:
        issued = pki.seals[administration]
        key: Any = load_pem_private_key(issued.key_pem, None)
        self._sealer = Sealer(key, issued.der, [pki.issuing.der])
        self._time_stamper = LocalTimeStamper(pki.tsa.key, pki.tsa.der, [pki.issuing.der])

    def sealed(self, size: int) -> bytes:
        """About ``size`` bytes: B-T, as the demo's papers are."""
        return seal(drawn(max(1_000, size - SEAL_BYTES)), sealer=self._sealer, timestamper=self._time_stamper)


def drawn(size: int) -> bytes:
    text = "BT /F1 11 Tf 72 760 Td 15 TL " + " ".join(f"(Article {n}. Extrait.) Tj T*" for n in range(LINES)) + " ET"
    content = f"{text} q 64 0 0 64 72 80 cm /P Do Q".encode()
    width = 1_000
    height = max(1, (size - len(content) - 900) // width)
    picture = secrets.token_bytes(width * height)
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> /XObject << /P 6 0 R >> >> >>",
        _stream(b"", content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        _stream(
            f" /Type /XObject /Subtype /Image /Width {width} /Height {height}"
            " /ColorSpace /DeviceGray /BitsPerComponent 8".encode(),
            picture,
        ),
    ]
    out, places = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


def _stream(members: bytes, data: bytes) -> bytes:
    return b"<< /Length " + str(len(data)).encode() + members + b" >>\nstream\n" + data + b"\nendstream"
