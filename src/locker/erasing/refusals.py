from kit.errors import Conflict, NotFound


class HeldByLaw(Conflict):
    """Nothing is erased while one document is held; ``documents`` and ``references`` say which and why."""

    code = "legal-hold"
    title = "A legal hold keeps some of your documents, so your locker cannot be erased now."


class NothingToUndo(NotFound):
    """There is no erasure, or it has begun."""

    code, title = "no-erasure", "There is no erasure that can be undone."
