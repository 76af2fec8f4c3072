from kit.errors import Conflict, Forbidden, Invalid


class ProofRefused(Forbidden):
    """Whoever signs like an officer is told what is wrong with the signature; everybody else finds nothing here."""

    code, title = "officer-proof-refused", "The signature of this request is not right."


class MayNot(Forbidden):
    code, title = "officer-may-not", "This officer may not do this."


class SamePerson(Conflict):
    code, title = "same-officer", "Somebody else than the officer who proposed it must decide."


class Decided(Conflict):
    code, title = "proposal-decided", "This was decided already, or its time is over."


class ReasonNeeded(Invalid):
    code, title = "reason-needed", "Say why: 10 to 500 characters that the citizen may read."


class OfficerExists(Conflict):
    code, title = "officer-exists", "An officer with this identifier is registered already."
