"""A user_code at rest: findable by a MAC, readable for nobody without the provider's secret."""

import hashlib
import hmac

from idp.citizens.sealed import Sealer
from idp.keys.secrets import Secrets


def mac_of(secrets: Secrets, user_code: str) -> bytes:
    """Keyed, because all codes there are can be digested in a minute."""
    return hmac.new(secrets.derive("user-code"), user_code.encode(), hashlib.sha256).digest()


def sealed(secrets: Secrets, user_code: str, device_code_sha256: bytes) -> bytes:
    return _sealer(secrets).seal(user_code.encode(), place=_place(device_code_sha256))


def opened(secrets: Secrets, user_code_sealed: bytes, device_code_sha256: bytes) -> str:
    return _sealer(secrets).open(user_code_sealed, place=_place(device_code_sha256)).decode()


def _sealer(secrets: Secrets) -> Sealer:
    return Sealer(secrets.derive("user-code-sealed"))


def _place(device_code_sha256: bytes) -> str:
    return f"device_request|{device_code_sha256.hex()}"
