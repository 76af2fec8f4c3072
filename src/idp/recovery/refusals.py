from kit.edge import PageRefusal


class RecoveryOver(PageRefusal):
    """No link was opened in this browser, or too long ago, or its tries are used up."""

    code, status, title = "recovery-over", 403, "This link is over. Ask for a new one."
