from kit.errors import NotFound


class DocumentUriUnknown(NotFound):
    """Malformed, never given, another administration's or type's, and of a document that is gone look the same."""

    code, title = "document-uri-unknown", "No document has this address."
