"""What is shed first and last when there is more than can be done: the first pattern of ``METHOD path`` counts."""

from collections.abc import Sequence

from kit.lanes import LAST, SIGNING_IN, Lane

LANES: Sequence[tuple[Lane, str]] = (
    (LAST, r"\w+ (/idp)?/(livez|readyz|static/|\.well-known/|jwks)"),
    (LAST, r"\w+ /idp/(introspect|revoke|not-me|account/freeze|account/sessions/end|frozen|end-session|sign-out)"),
    (LAST, r"\w+ /idp/recover/stop$"),
    (SIGNING_IN, r"\w+ /idp/(sign-in|activate|recover|authorize|par|upstream)"),
)
