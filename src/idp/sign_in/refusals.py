from typing import ClassVar

from kit.edge import PageRefusal
from kit.errors import TooManyRequests


class NotActive(PageRefusal):
    code, status, title = (
        "account-not-active",
        403,
        "This account is not active yet. Activate it with the code that you were given.",
    )


class Frozen(PageRefusal):
    code, status, title = (
        "account-frozen",
        403,
        "This account is frozen. Open it again under “Open a frozen account”, or at your registration office.",
    )


class NotFrozen(PageRefusal):
    code, status, title = "account-not-frozen", 409, "This account is not frozen. Sign in as always."


class Closed(PageRefusal):
    code, status, title = "account-closed", 403, "This account is closed. Ask at your registration office."


class NoSecondFactor(PageRefusal):
    code, status, title = (
        "no-second-factor",
        403,
        "This service asks for a second step, and you have none set up. Your registration office can help.",
    )


class LevelOutOfReach(PageRefusal):
    """OpenID Connect Core Unmet Authentication Requirements 1.0 names the code."""

    code, status, title = (
        "unmet_authentication_requirements",
        403,
        "This service asks for a stronger sign-in than this account has.",
    )


class AttemptOver(PageRefusal):
    """No first factor was passed in this browser, or too long ago."""

    code, status, title = "sign-in-over", 403, "This sign-in has ended. Start again."


class TooManyTries(TooManyRequests, PageRefusal):
    code: ClassVar[str] = "too-many-tries"
    title: ClassVar[str] = "Too many wrong codes. Start again with your password."


class WrongForm(PageRefusal):
    code, status, title = "wrong-form", 422, "Something in this form cannot be read. Go back and fill it in again."
