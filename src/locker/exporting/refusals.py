from kit.errors import Conflict, NotFound


class ExportStands(Conflict):
    """One at a time: it is being made, or it is ready and not over."""

    code, title = "export-stands", "There is an export already. Take it or remove it before you ask for another."


class NoExport(NotFound):
    """There is none, it is not ready, or its day is over."""

    code, title = "no-export", "There is no export to take."
