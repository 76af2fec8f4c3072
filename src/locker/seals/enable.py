from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.administrations.certificates import check_fit_for_seals, der, fingerprint, read_certificate, subject
from locker.administrations.refusals import AdministrationUnknown
from locker.seals import store
from locker.seals.keys import SealKeys
from locker.seals.refusals import SealCertificateUnregistered
from locker.seals.schema import SealingEnabled
from locker.signatures.sealer import SealingRefused
from locker.signatures.signing_key import spki


async def enable(
    db: Database,
    audit: Audit,
    keys: SealKeys,
    *,
    administration: str,
    certificate: str,
    chain: Sequence[str],
    officer: str,
) -> SealingEnabled:
    """From now on the locker seals for ``administration``. ``certificate`` is one that is registered for it, ``chain``
    its authorities without the root: PEM, or DER in base64.

    Raises SealingRefused where the key in its place is another one, SealKeyMissing, SealCertificateUnregistered.
    """
    own = read_certificate(certificate)
    check_fit_for_seals(own)
    authorities = [der(read_certificate(text)) for text in chain]
    key = await keys.key(administration)
    if own.public_key().public_bytes(*_SPKI) != spki(key.public):
        raise SealingRefused("The key does not belong to the certificate.")

    async def record(tx: Tx) -> None:
        if not await store.enable(
            tx, administration=administration, sha256=fingerprint(own), certificate=der(own), chain=authorities
        ):
            raise SealCertificateUnregistered
        await audit.append(
            tx,
            AuditEvent(
                action="sealing.enabled",
                actor_kind="officer",
                actor=officer,
                object_id=administration,
                detail={"certificate_sha256": fingerprint(own).hex()},
            ),
        )

    await db.transact(record)
    return _shown(administration, own, enabled=True)


async def disable(db: Database, audit: Audit, *, administration: str, officer: str) -> None:
    async def record(tx: Tx) -> None:
        if not await store.disable(tx, administration=administration):
            raise AdministrationUnknown
        await audit.append(
            tx,
            AuditEvent(action="sealing.disabled", actor_kind="officer", actor=officer, object_id=administration),
        )

    await db.transact(record)


async def show(db: Database, *, administration: str) -> SealingEnabled:
    row = await store.sealing(db, administration=administration)
    if row is None:
        raise AdministrationUnknown
    return _shown(administration, x509.load_der_x509_certificate(row.certificate), enabled=row.registered)


_SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _shown(administration: str, certificate: x509.Certificate, *, enabled: bool) -> SealingEnabled:
    return SealingEnabled(
        administration=administration,
        certificate_sha256=fingerprint(certificate).hex(),
        subject=subject(certificate),
        not_after=certificate.not_valid_after_utc,
        enabled=enabled,
    )
