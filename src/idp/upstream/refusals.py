from kit.edge import PageRefusal
from kit.errors import Invalid, NotFound


class UpstreamUnknown(NotFound, PageRefusal):
    """Not registered, or disabled."""


class UpstreamLost(PageRefusal):
    """An answer to a question that this browser did not ask, asked too long ago, or has had answered: all the same."""

    code, status = "upstream-lost", 400
    title = "This sign-in is over or was begun in another browser. Go back and begin again."


class AlreadyLinked(PageRefusal):
    """With somebody else's account here, or another account there is linked with this one."""

    code, status = "upstream-already-linked", 409
    title = "These two accounts cannot be linked: one of them is linked already. End the other link first."


class RegistrationRefused(Invalid):
    """What an operator handed in, or what the provider's metadata says, cannot be worked with."""

    code = "upstream-refused"


class UpstreamAway(Exception):
    """The provider cannot be asked now. ``reason`` is for developers."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UpstreamRefused(Exception):
    """The provider's answer is not what we asked for. ``reason`` goes to the audit, never a value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
