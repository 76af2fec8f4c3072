from kit.errors import Conflict, Forbidden, Invalid, NotFound, Refusal


class CertificateUnfit(Invalid):
    code, title = "certificate-unfit", "This certificate cannot serve as a seal certificate."


class ClientTaken(Conflict):
    code, title = "client-taken", "This client already speaks for another administration."


class TypeUnregistered(Invalid):
    code, title = "type-unregistered", "Register this document type first."


class AdministrationUnknown(NotFound):
    code, title = "administration-unknown", "No administration has this identifier."


class NotAnAdministration(Forbidden):
    code, title = "not-an-administration", "This client speaks for no registered administration."


class AdministrationSuspended(Refusal):
    """401, as for a token that ended: nothing that this client holds opens anything until it is resumed (A-09)."""

    code, status, title = "administration-suspended", 401, "This administration is suspended."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="locker", error="invalid_token"'})
