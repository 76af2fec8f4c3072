from typing import Any

from kit.errors import Refusal


def told(refusal: Refusal) -> dict[str, Any]:
    """A refusal as a row keeps it and a line says it: its code, and what its problem document would add."""
    return {"code": refusal.code, "detail": refusal.detail, "members": refusal.members}
