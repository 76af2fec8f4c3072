from typing import Literal


def waiting_state(*, passed: bool) -> Literal["quarantined", "pending-scan"]:
    """Of what waits: a seal that cannot be judged is said first, for it may end in a refusal."""
    return "pending-scan" if passed else "quarantined"
