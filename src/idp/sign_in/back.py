import re

from idp.frame import AnyRequest

_INTERACTION_ID = re.compile(r"[A-Za-z0-9_-]{43}")


def back_of(request: AnyRequest) -> str:
    """An interaction that waits, by the form of its identifier; whose it is is asked when it is gone back to."""
    back = request.query_params.get("back", "")
    return back if _INTERACTION_ID.fullmatch(back) else ""
