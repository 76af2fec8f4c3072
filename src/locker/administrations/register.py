from cryptography import x509

from kit.audit import Audit, AuditEvent
from kit.db import Database, Tx
from locker.administrations import store
from locker.administrations.certificates import check_fit_for_seals, der, fingerprint, read_certificate, subject
from locker.administrations.refusals import ClientTaken, TypeUnregistered
from locker.administrations.schema import AdministrationRegistered, AdministrationRegistration


async def register(
    db: Database, audit: Audit, registration: AdministrationRegistration, *, officer: str
) -> AdministrationRegistered:
    """Make or change an administration to what ``registration`` says; the same again changes nothing but its version.

    Raises CertificateUnfit, TypeUnregistered and ClientTaken, and then nothing has changed.
    """
    certificates = [_row(read_certificate(text)) for text in registration.seal_certificates]

    async def record(tx: Tx) -> AdministrationRegistered:
        administration = registration.administration
        await store.upsert(tx, administration=administration, names=registration.names)
        clients = sorted(set(registration.clients))
        if await store.replace_clients(tx, administration=administration, clients=clients) < len(clients):
            raise ClientTaken
        if unknown := await store.replace_entitlements(
            tx, administration=administration, types=sorted(set(registration.types))
        ):
            raise TypeUnregistered(", ".join(unknown))
        await store.replace_seal_certificates(tx, administration=administration, certificates=certificates)
        await store.replace_domains(tx, administration=administration, domains=sorted(set(registration.domains)))
        registered = await store.registered(tx, administration=administration)
        assert registered is not None
        await audit.append(
            tx,
            AuditEvent(
                action="administration.registered",
                actor_kind="officer",
                actor=officer,
                object_id=administration,
                detail={
                    "clients": registered.clients,
                    "types": registered.types,
                    "seal_certificates": [certificate.sha256 for certificate in registered.seal_certificates],
                    "domains": registered.domains,
                },
            ),
        )
        return registered

    return await db.transact(record)


def _row(certificate: x509.Certificate) -> store.SealCertificateRow:
    check_fit_for_seals(certificate)
    return store.SealCertificateRow(
        sha256=fingerprint(certificate),
        der=der(certificate),
        subject=subject(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
