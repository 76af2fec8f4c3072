from kit.errors import NotFound


class DocumentUnknown(NotFound):
    code, title = "document-unknown", "There is no document of this identifier."


class HoldUnknown(NotFound):
    code, title = "hold-unknown", "There is no such legal hold."
