from kit.errors import Conflict, Forbidden, NotFound


class PurposeUnknown(NotFound):
    code, title = "purpose-unknown", "No such purpose is registered for you."


class RequestTooWide(Forbidden):
    """``beyond`` names what is not registered, as ``TYPE`` or ``TYPE.field``."""

    code, title = "request-too-wide", "The request asks for more than is registered for this purpose."


class RequestUnknown(NotFound):
    """Also one that is over, answered, or another's."""

    code, title = "request-unknown", "There is no such request, or it is over."


class RequestChanged(Conflict):
    """Its purpose was registered anew since the citizen read it: nothing is given for words that nobody read."""

    code, title = "request-changed", "Something here has changed since you looked at it. Check it again."


class DetailNotGiven(Forbidden):
    """Not among the details that the citizen allowed and that this access token brings, or its day is over."""

    code, title = "detail-not-given", "The citizen did not allow this, or not any more."


class NothingHeld(Conflict):
    code, title = "nothing-held", "The citizen holds no valid document of these types."


class AuthorizationUsed(Conflict):
    code, title = "authorization-used", "What was allowed once was used. Ask the citizen again."


class AuthorizationEnded(Forbidden):
    """A new connection gives it again."""

    code, title = "authorization-ended", "The citizen ended what was made of this."


class NotWhatWasAsked(Conflict):
    code, title = "not-what-was-asked", "This document is not one that was asked for, or is not valid today."
