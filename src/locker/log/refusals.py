from kit.errors import Conflict, NotFound


class LineUnknown(NotFound):
    code, title = "line-unknown", "There is no such line in your access history."


class NotLoggedYet(Conflict):
    code, title = "not-logged-yet", "This line gets its place in the log within seconds. Try again in a moment."


class NoSuchTree(NotFound):
    code, title = "no-such-tree", "The log has no checkpoint over so many entries."


class LogLed(Conflict):
    code, title = "log-led", "A worker leads the log. Stop the workers, or wait a minute."


class KeyBesideStands(Conflict):
    code, title = "key-beside", "The key of before still signs beside this one. Retire it first."


class NoKeyBeside(NotFound):
    code, title = "no-key-beside", "No former key signs beside the log's key."


class NotToBeAdopted(Conflict):
    """Its detail says why: ``nothing-published``, ``not-our-checkpoint``, ``tile-missing``, ``another-tree``."""

    code, title = "not-to-be-adopted", "What was published does not continue what is in this database."
