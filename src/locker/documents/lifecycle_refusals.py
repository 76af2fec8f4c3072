from kit.errors import Conflict, Invalid, NotFound, Refusal, Unavailable


class DocumentNotYours(NotFound):
    """Another administration's document and one that does not exist look the same."""

    code, title = "document-unknown", "You have deposited no document with this identifier."


class StateConflict(Conflict):
    """``state`` says what the document is now."""

    code, title = "state-conflict", "The document's present state does not allow this."

    def __init__(self, state: str) -> None:
        super().__init__(members={"state": state})


class StateChanged(Refusal):
    """If-Match named another revision (RFC 9110 §13.1.1). ``state`` and the ETag say how it is now."""

    code, status, title = "state-changed", 412, "The document has changed since you last saw it."

    def __init__(self, state: str, revision: int) -> None:
        super().__init__(headers={"ETag": f'"{revision}"'}, members={"state": state})


class StateKeyReused(Invalid):
    code, title = "idempotency-key-reused", "This Idempotency-Key belongs to another request."


class ReferenceTaken(Conflict):
    code, title = "reference-taken", "You have deposited another document under this reference."


class TooManyAwaited(Unavailable):
    """This administration revoked too many references under which nothing was deposited."""

    code = "too-many-awaited"
    title = "Too many references are revoked under which nothing was deposited. Deposit those first."
