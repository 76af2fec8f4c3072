from kit.edge import PageRefusal


class NotThawed(PageRefusal):
    """Nothing of that name is frozen, or the sign-in is older than the freeze."""

    code, status = "not-thawed", 409
    title = "Sign in again with two steps that are not frozen, then open it."


class NothingToFreeze(PageRefusal):
    code, status, title = "nothing-to-freeze", 404, "There is nothing of this name in your account."
