from kit.errors import Conflict, NotFound


class DocumentNotYours(NotFound):
    """Another administration's document and one that does not exist look the same."""

    code, title = "document-unknown", "You have deposited no document with this identifier."


class StateConflict(Conflict):
    """``state`` says what the document is now."""

    code, title = "state-conflict", "The document's present state does not allow this."

    def __init__(self, state: str) -> None:
        super().__init__(members={"state": state})
