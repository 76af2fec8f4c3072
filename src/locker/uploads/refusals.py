from kit.errors import BodyTooLarge, Conflict, Invalid, Malformed, NotFound, Refusal


class UploadUnknown(NotFound):
    """Another citizen's, one that never was and one that is gone look the same."""

    code, title = "upload-unknown", "You have no upload at this address."


class FileMissing(Malformed):
    code, title = "file-missing", "Choose a file."


class MultipartMalformed(Malformed):
    code, title = "multipart-malformed", "This upload cannot be read. Choose the file again."


class FileTooLarge(BodyTooLarge):
    """``max_bytes`` says how much is accepted."""

    code, title = "file-too-large", "This file is too large."

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"at most {max_bytes} bytes", members={"max_bytes": max_bytes})


class TypeNotAccepted(Invalid):
    """By its bytes, whatever it is called."""

    code, title = "type-not-accepted", "This is not a PDF, a JPEG or a PNG file."


class FileDamaged(Invalid):
    code, title = "file-damaged", "This file is damaged or incomplete, so it cannot be shown."


class TwoFilesInOne(Invalid):
    """A polyglot (U-02): something stands behind the end, or it is another format as well."""

    code, title = "two-files-in-one", "This file has something else hidden behind its end. Save it anew and try again."


class FileEncrypted(Invalid):
    code, title = "file-encrypted", "This PDF needs a password. Save it without one and try again."


class FileActs(Invalid):
    """Scripts, attachments, forms of XFA, media, actions at opening (U-10)."""

    code, title = "file-acts", "This PDF contains a program or attachments. Print it to a new PDF and try again."


class TooManyPixels(Invalid):
    code, title = "too-many-pixels", "This picture has too many pixels. Save it smaller and try again."


class TooManyPages(Invalid):
    code, title = "too-many-pages", "This PDF has too many pages. Make several files of it."


class TooCostly(Invalid):
    """The worker's limits ended it."""

    code, title = "too-costly", "Reading this file took too much, so it was not accepted."


class WorkerSpent(TooCostly):
    """It cost a worker, whose place others wait for: a few of these an hour for one citizen."""


class UploadsFull(Invalid):
    """``limit`` says how much one citizen may upload (V-21)."""

    code, title = "uploads-full", "There is no room left for this file. Delete other uploads for good, then try again."

    def __init__(self, *, uploads: int, bytes_: int) -> None:
        super().__init__(members={"limit": {"uploads": uploads, "bytes": bytes_}})


class IdempotencyKeyReused(Invalid):
    code, title = "idempotency-key-reused", "This Idempotency-Key belongs to another upload."


class UploadOvertaken(Conflict):
    """It took longer than the sweeper's grace; nothing of it stayed."""

    code, title = "upload-overtaken", "This upload took too long and was given up. Repeat it."


class NotScannedYet(Conflict):
    code, title = "pending-scan", "This file waits to be checked for harmful software. Until then nobody can open it."


class Quarantined(Refusal):
    code, status = "quarantined", 403
    title = "A scanner found harmful software in this file. It is kept apart, and nobody can open it."


class InBin(Conflict):
    code, title = "in-bin", "This file is in the bin. Restore it first."
