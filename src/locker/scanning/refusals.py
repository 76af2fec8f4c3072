from kit.errors import Invalid, Unavailable


class ScannerAway(Unavailable):
    """There is no verdict: away, too slow, busy, or it answered something else. What waits for one is not served."""

    code = "scanner-away"


class NoVerdict(ScannerAway):
    """It is there, and has none of this file: too long for it, or more than it can read."""


class Infected(Invalid):
    """``signature`` is the scanner's name for what it found."""

    code, title = "infected", "A scanner found harmful software in this file, so it was not accepted."

    def __init__(self, signature: str) -> None:
        super().__init__(members={"signature": signature})
