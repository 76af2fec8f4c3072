"""Who asks: the request is signed with the locker's key (RFC 9421), which stands at its /.well-known/jwks.json."""

import base64

from kit.jose import SigningKey

_TAG = "khizana-reference"
_LIFETIME_S = 60


def sign_request(key: SigningKey, method: str, url: str, *, created: int, nonce: str) -> dict[str, str]:
    """``Signature-Input`` and ``Signature`` over method and target (§2.2.1, §2.2.2, §2.5), ECDSA P-256 (§3.3.4).

    ``nonce`` makes each request one of its own; after a minute it is over.
    """
    parameters = (
        f'("@method" "@target-uri");created={created};expires={created + _LIFETIME_S};nonce="{nonce}"'
        f';alg="ecdsa-p256-sha256";keyid="{key.kid}";tag="{_TAG}"'
    )
    base = f'"@method": {method}\n"@target-uri": {url}\n"@signature-params": {parameters}'
    signature = base64.b64encode(key.signature(base.encode("ascii"))).decode()
    return {"Signature-Input": f"locker={parameters}", "Signature": f"locker=:{signature}:"}
