from kit.errors import Invalid, Unavailable


class ScannerAway(Unavailable):
    """There is no verdict: away, too slow, busy, or it answered something else. What waits for one is not served."""

    code = "scanner-away"


class Infected(Invalid):
    code, title = "infected", "A scanner found harmful software in this file, so it was not accepted."
