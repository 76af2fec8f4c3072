from kit.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class SealingNotEnabled(Forbidden):
    code, title = "sealing-not-enabled", "The locker makes no seals for this administration."


class SealCertificateUnregistered(Invalid):
    code, title = "seal-certificate-unregistered", "The certificate of this seal is not registered any more."


class SealKeyMissing(Unavailable):
    """The key is not in its place, or the device that holds it is away."""

    code, title = "seal-key-missing", "The key of this seal is not available. We were told."


class SealKeyExists(Conflict):
    code, title = "seal-key-exists", "This administration has a seal key already; it is not replaced."


class PendingFull(Unavailable):
    code, title = "pending-full", "Too many seals wait for their time stamp. Try again later."


class SealRequestInvalid(Invalid):
    code, title = "seal-request-invalid", "The JSON part does not say what a seal needs."


class SealUnknown(NotFound):
    """Another administration's seal and one that does not exist look the same."""

    code, title = "seal-unknown", "You have no seal with this identifier."


class SealOvertaken(Conflict):
    """This attempt took longer than its lease; another one went on without it. Nothing of it stayed."""

    code, title = "seal-overtaken", "This seal took too long and was given up. Repeat it."
