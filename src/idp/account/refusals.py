from kit.edge import PageRefusal


class NotSignedIn(PageRefusal):
    """A form of the account without a whole session: a half-done sign-in is dropped as well (L-06)."""

    code, status, title = "not-signed-in", 403, "Sign in first, then try again."
