from kit.errors import Conflict, Invalid, TooManyRequests


class PasswordRefused(Invalid):
    """``detail`` is the reason, by word: ``length``, ``characters``, ``common``, ``personal``."""

    code, title = "password-refused", "Choose another password."


class TooManyCodes(TooManyRequests):
    code, title = "too-many-codes", "Too many codes were sent. Wait a little, or use another way."


class NumberNotServed(TooManyCodes):
    """Another country's, or a premium one: nothing is sent there, however few were asked for."""

    code, title = "number-not-served", "We cannot send text messages to this number. Use e-mail or an app instead."


class LastSecondFactor(Conflict):
    code, title = "last-second-factor", "This is your only second step. Set up another one first."
