from kit.errors import NotFound


class NothingToUndo(NotFound):
    """There is no erasure, or it has begun."""

    code, title = "no-erasure", "There is no erasure that can be undone."
