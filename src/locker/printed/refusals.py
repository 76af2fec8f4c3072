from kit.errors import Invalid, NotFound


class PrintedTooLarge(Invalid):
    """``max_bytes`` says how many bytes the signed claims may have."""

    code, title = "printed-too-large", "This document says more than a printed code can hold. Choose fewer fields."

    def __init__(self, max_bytes: int) -> None:
        super().__init__(members={"max_bytes": max_bytes})


class FieldUnknown(Invalid):
    code, title = "field-unknown", "The document has no field of this name."


class PrintedUnknown(NotFound):
    code, title = "printed-unknown", "There is no printed copy with this identifier."
