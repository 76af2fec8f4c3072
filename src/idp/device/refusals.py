from kit.edge import PageRefusal


class SignInFirst(PageRefusal):
    """Codes are being guessed just now: who tries must be somebody."""

    code, status, title = "sign-in-first", 403, "Sign in first, then type the code."
