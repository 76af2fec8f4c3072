from kit.edge import PageRefusal


class ActivationOver(PageRefusal):
    """No activation code was entered in this browser, or half an hour ago and more."""

    code, status, title = "activation-over", 403, "Start the activation again with your code."
