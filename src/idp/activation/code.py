"""The activation code, as it stands on the receipt."""

import hashlib
import hmac

from idp.authenticators.printed_code import as_typed
from idp.keys.secrets import Secrets


def code_mac(secrets: Secrets, code: str) -> bytes:
    """Keyed, because 60 bits are few for a digest that may be stolen."""
    return hmac.new(secrets.derive("activation-code"), as_typed(code).encode(), hashlib.sha256).digest()
