"""This slice's "no"s. What cannot be shown intact is not shown at all."""

from kit.errors import Refusal, Unavailable


class BlobStoreUnavailable(Unavailable):
    """The object store is away, too slow, full, or refuses us. Nothing was decided: the caller may repeat.

    ``reason`` is the store's own code where it refuses us, as ``SignatureDoesNotMatch``: for the operator alone.
    """

    code = "object-store-unavailable"

    def __init__(self, detail: str | None = None, *, reason: str = "", retry_after_s: int = 5) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.reason = reason


class BlobDamaged(Refusal):
    """The stored bytes, or the row that points to them, are not what was sealed. No byte of the segment has left."""

    code, status = "document-damaged", 502
    title = "The stored copy of this document did not pass its integrity check, so it was not sent. We were told."


class BlobMissing(BlobDamaged):
    """The row promises an object that the store does not have."""

    code = "document-missing"


class Erased(Refusal):
    """The owner's key was destroyed: these contents cannot be read by anyone, and nothing can be added."""

    code, status, title = "erased", 410, "This locker was erased."
