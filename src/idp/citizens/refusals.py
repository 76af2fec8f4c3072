from kit.errors import Conflict, Invalid, NotFound


class AlreadyEnrolled(Conflict):
    """The number of this identity card belongs to an enrolled citizen. Which one is not said."""

    code, title = "already-enrolled", "A citizen with this identity card number is already enrolled."


class ReferenceInUse(Conflict):
    code, title = "reference-in-use", "This external reference belongs to the enrolment of somebody else."


class NotEnrollable(Invalid):
    code, title = "not-enrollable", "This enrolment cannot be accepted."


class UnknownCitizen(NotFound):
    code, title = "unknown-citizen", "No citizen has this identifier."


class ReasonNeeded(Invalid):
    code, title = "reason-needed", "Say why you look at this record, in 3 to 200 characters."


class StateRefused(Conflict):
    code, title = "state-refused", "The citizen's present state does not allow this."
