"""A time-stamp authority in the same process: the demo's, and that of tests (RFC 3161)."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, core, tsp, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from pyhanko.sign.general import as_signing_certificate_v2
from pyhanko.sign.timestamps import TimeStamper

from locker.signatures.signing_key import SigningKey, sign_raw, signature_algorithm

# 2.16.504 is Morocco's arc; the rest names no one: a private policy until an authority registers one.
_POLICY = "2.16.504.1.999.1"


class LocalTimeStamper(TimeStamper):
    """Signs time-stamp tokens with ``key``; ``clock`` is the seam for tests.

    ``certificate_der`` must have the critical extended key usage timeStamping (RFC 3161 §2.3).
    """

    def __init__(
        self,
        key: SigningKey,
        certificate_der: bytes,
        chain_der: Sequence[bytes] = (),
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        policy: str = _POLICY,
    ) -> None:
        super().__init__(include_nonce=True)  # type: ignore[no-untyped-call]
        self._key = key
        self._certificate = x509.Certificate.load(certificate_der)
        self._chain = [x509.Certificate.load(der) for der in chain_der]
        self._clock = clock
        self._policy = policy

    @property
    def token_size_bytes(self) -> int:
        """An upper bound of what one token takes."""
        signature = self._key.key_size // 8 if isinstance(self._key, rsa.RSAPrivateKey) else 150
        return (
            sum(len(c.dump()) for c in [self._certificate, *self._chain])
            + 3 * _issuer_size(self._certificate)
            + (signature + 800)
        )

    def token(self, imprint: bytes, digest_algorithm: str, *, nonce: int | None = None) -> cms.ContentInfo:
        """A time-stamp token over ``imprint``, dated by the clock, to the second (accuracy 1 s)."""
        moment = self._clock().astimezone(UTC).replace(microsecond=0)
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": self._policy,
                "message_imprint": {
                    "hash_algorithm": {"algorithm": digest_algorithm},
                    "hashed_message": imprint,
                },
                "serial_number": int.from_bytes(b"\x01" + os.urandom(15)),
                "gen_time": moment,
                "accuracy": {"seconds": 1},
                "tsa": x509.GeneralName(name="directory_name", value=self._certificate.subject),
                **({"nonce": nonce} if nonce is not None else {}),
            }
        ).dump()
        digest = hashes.Hash(hashes.SHA256())
        digest.update(info)
        signed_attributes = cms.CMSAttributes(
            [
                _attribute("content_type", "tst_info"),
                _attribute("message_digest", digest.finalize()),
                _attribute("signing_certificate_v2", as_signing_certificate_v2(self._certificate)),
            ]
        )
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    {
                        "issuer_and_serial_number": {
                            "issuer": self._certificate.issuer,
                            "serial_number": self._certificate.serial_number,
                        }
                    }
                ),
                "digest_algorithm": {"algorithm": "sha256"},
                "signature_algorithm": signature_algorithm(self._key.public_key(), "sha256"),
                "signed_attrs": signed_attributes,
                "signature": sign_raw(self._key, signed_attributes.dump(), "sha256"),
            }
        )
        return cms.ContentInfo(
            {
                "content_type": "signed_data",
                "content": {
                    "version": "v3",
                    "digest_algorithms": [{"algorithm": "sha256"}],
                    "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
                    "certificates": [self._certificate, *self._chain],
                    "signer_infos": [signer],
                },
            }
        )

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        imprint = req["message_imprint"]
        token = self.token(
            imprint["hashed_message"].native,
            imprint["hash_algorithm"]["algorithm"].native,
            nonce=req["nonce"].native,
        )
        return tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token})


def _attribute(kind: str, value: Any) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": kind, "values": (value,)})


def _issuer_size(certificate: x509.Certificate) -> int:
    return len(certificate.issuer.dump())
