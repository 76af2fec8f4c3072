"""``x-fapi-interaction-id``: what a client and a resource server call one exchange in both their logs."""

import re
from uuid import uuid4

from kit.direct import Asked

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def interaction_id_of(request: Asked) -> tuple[bytes, bytes]:
    """The header of the answer: the client's own value if it is a UUID, else a fresh one (FAPI 1.0 Part 1 §6.2.1)."""
    asked = request.headers.get("x-fapi-interaction-id", "")
    return b"x-fapi-interaction-id", (asked if _UUID.fullmatch(asked) else str(uuid4())).encode()
