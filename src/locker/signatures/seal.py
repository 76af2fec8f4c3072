"""Make a PAdES B-B or B-T seal (ETSI EN 319 142-1)."""

import hashlib
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, TypeVar

import msgspec
from asn1crypto import cms, x509
from cryptography import x509 as pyca_x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.font.opentype import GlyphAccumulatorFactory
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.text import TextBoxStyle
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.general import as_signing_certificate_v2
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, Signer
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko.stamp import TextStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore

from kit.errors import Invalid
from locker.signatures.time_stamp import LocalTimeStamper, SigningKey, sign_raw, signature_algorithm

__all__ = ["LocalTimeStamper", "Sealer", "SealingRefused", "Stamp", "seal"]

T = TypeVar("T")
_DIGEST = "sha256"


class SealingRefused(Invalid):
    """The key, the certificate or the document would make a seal that no one accepts."""

    code, title = "sealing-refused", "This document cannot be sealed."


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """A visible seal: ``text`` in ``box`` (left, bottom, right, top in points) on ``page`` (0 is the first).

    Without ``font_path`` (an OpenType file) the text is limited to Latin-1.
    """

    text: str
    box: tuple[int, int, int, int]
    page: int = 0
    font_path: str | None = None
    font_size: int = 8


class Sealer(Signer):
    """A seal's key and certificates. Keep it: parsing an RSA-3072 key again costs 134 ms a document.

    ``key`` is P-256, P-384 or RSA; ``chain_der`` are the CA certificates to embed, without the root.
    """

    def __init__(self, key: SigningKey, certificate_der: bytes, chain_der: Sequence[bytes] = ()) -> None:
        registry = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        registry.register_multiple([x509.Certificate.load(der) for der in chain_der])
        own = x509.Certificate.load(certificate_der)
        super().__init__(
            signing_cert=own,
            cert_registry=registry,
            signature_mechanism=signature_algorithm(key, _DIGEST),
        )
        self._key = key
        certificate = pyca_x509.load_der_x509_certificate(certificate_der)
        if _public(certificate.public_key()) != _public(key.public_key()):
            raise SealingRefused("The key does not belong to the certificate.")
        try:
            usage = certificate.extensions.get_extension_for_class(pyca_x509.KeyUsage).value
        except pyca_x509.ExtensionNotFound:
            raise SealingRefused("The certificate has no key usage.") from None
        if not usage.content_commitment:
            raise SealingRefused("The certificate's key usage does not permit sealing (nonRepudiation).")
        self._not_before = certificate.not_valid_before_utc
        self._not_after = certificate.not_valid_after_utc
        # Certificates, three copies of the issuer's name, the signature and attributes; measured 600 bytes too many.
        self.container_size_bytes = (
            len(certificate_der)
            + sum(len(der) for der in chain_der)
            + 3 * len(own.issuer.dump())
            + (key.key_size // 8 if hasattr(key, "private_numbers") and key.key_size > 1000 else 150)
            + 900
        )

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        return sign_raw(self._key, data, digest_algorithm)

    # pyHanko collects attributes with asyncio.as_completed, which needs an event loop and finds an order by chance.
    # PAdES B-B has exactly these three signed attributes (EN 319 142-1 §6.3), B-T one unsigned.

    async def signed_attrs(self, data_digest: bytes, digest_algorithm: str, *_: Any, **__: Any) -> cms.CMSAttributes:
        assert self.signing_cert is not None
        return cms.CMSAttributes(
            [
                _attribute("content_type", "data"),
                _attribute("message_digest", data_digest),
                _attribute("signing_certificate_v2", as_signing_certificate_v2(self.signing_cert)),
            ]
        )

    async def unsigned_attrs(
        self,
        digest_algorithm: str,
        signature: bytes,
        signed_attrs: cms.CMSAttributes,
        timestamper: Any = None,
        dry_run: bool = False,
    ) -> cms.CMSAttributes | None:
        if timestamper is None:
            return None
        imprint = hashlib.new(digest_algorithm, signature).digest()
        token = await timestamper.async_timestamp(imprint, digest_algorithm)
        return cms.CMSAttributes([_attribute("signature_time_stamp_token", token)])

    def check_valid_at(self, moment: datetime) -> None:
        """pyHanko signs with an expired certificate; we do not."""
        if not self._not_before <= moment <= self._not_after:
            raise SealingRefused("The seal's certificate is not valid at this time.")


class _Signer(PdfSigner):
    def __init__(self, *args: Any, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = at

    def init_signing_session(self, *args: Any, **kwargs: Any) -> PdfSigningSession:
        session = super().init_signing_session(*args, **kwargs)
        session.system_time = self._at
        return session


def seal(
    pdf: bytes,
    *,
    sealer: Sealer,
    timestamper: LocalTimeStamper | None = None,
    reason: str | None = None,
    location: str | None = None,
    docmdp_locked: bool = True,
    field_name: str = "Seal",
    stamp: Stamp | None = None,
    at: datetime | None = None,
) -> bytes:
    """``pdf`` with one more signature: B-T with a ``timestamper``, else B-B.

    ``docmdp_locked`` certifies with DocMDP P=1, so that nothing may change afterwards and no one may co-sign; it needs
    a document without signatures. ``at`` is the claimed signing time. Blocks: about 20 ms for 100 kB.
    """
    moment = at or datetime.now(UTC)
    sealer.check_valid_at(moment)
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    if docmdp_locked and any(True for _ in writer.prev.embedded_signatures):
        raise SealingRefused("A document that is already signed cannot be locked by a second seal.")
    signer = _Signer(
        PdfSignatureMetadata(
            field_name=field_name,
            md_algorithm=_DIGEST,
            reason=reason,
            location=location,
            certify=docmdp_locked,
            docmdp_permissions=MDPPerm.NO_CHANGES if docmdp_locked else MDPPerm.FILL_FORMS,
            subfilter=SigSeedSubFilter.PADES,
        ),
        sealer,
        timestamper=timestamper,
        stamp_style=_style(stamp) if stamp else None,
        new_field_spec=SigFieldSpec(
            field_name,
            on_page=stamp.page if stamp else 0,
            box=stamp.box if stamp else None,
        ),
        at=moment,
    )
    # A placeholder of known size saves the trial run, and keeps the string short that every reader must parse.
    reserved = sealer.container_size_bytes + (timestamper.token_size_bytes if timestamper else 0)
    output = _complete(signer.async_sign_pdf(writer, bytes_reserved=2 * reserved))
    return bytes(output.getbuffer())


def _style(stamp: Stamp) -> TextStampStyle:
    font = GlyphAccumulatorFactory(stamp.font_path) if stamp.font_path else None
    box = TextBoxStyle(font_size=stamp.font_size)
    if font:
        box = TextBoxStyle(font_size=stamp.font_size, font=font)
    # The text is not a template of ours: a percent sign in a name stays one.
    return TextStampStyle(stamp_text=stamp.text.replace("%", "%%"), text_box_style=box)


def _complete(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits: key and time stamper are in this process, so no event loop is needed."""
    try:
        work.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
    work.close()
    raise RuntimeError("sealing waited for something outside this process")


def _attribute(kind: str, value: Any) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": kind, "values": (value,)})


def _public(key: Any) -> bytes:
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
