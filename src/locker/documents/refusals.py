from kit.errors import NotFound, Refusal


class DocumentUnknown(NotFound):
    """Another citizen's document, a wrong identifier and a document that never was look the same."""

    code, title = "document-unknown", "You hold no document at this address."


class DocumentChanged(Refusal):
    """If-Match named other bytes (RFC 9110 §13.1.1)."""

    code, status, title = "document-changed", 412, "This is another version of the document than the one you asked for."
