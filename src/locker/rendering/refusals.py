from kit.errors import NotFound


class NoPreview(NotFound):
    """The document is untouched: only its picture could not be made (U-28)."""

    code, title = "no-preview", "There is no picture of this page."
