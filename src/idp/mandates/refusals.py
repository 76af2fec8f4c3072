from kit.edge import PageRefusal
from kit.errors import Invalid


class MandateRefused(Invalid):
    code, title = "mandate-refused", "This mandate cannot be recorded."


class UnknownMandate(PageRefusal):
    """Unknown, ended, or of other people: the same from outside."""

    code, status, title = "unknown-mandate", 404, "There is no such mandate, or it has ended."
