from kit.errors import Conflict, Forbidden, NotFound


class PurposeUnknown(NotFound):
    code, title = "purpose-unknown", "No such purpose is registered for you."


class RequestTooWide(Forbidden):
    """``beyond`` names what is not registered, as ``TYPE`` or ``TYPE.field``."""

    code, title = "request-too-wide", "The request asks for more than is registered for this purpose."


class RequestUnknown(NotFound):
    """Also one that is over, answered, or another's."""

    code, title = "request-unknown", "There is no such request, or it is over."


class NotWhatWasAsked(Conflict):
    code, title = "not-what-was-asked", "This document is not one that was asked for, or is not valid today."
