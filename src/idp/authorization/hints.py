"""An ID token of ours, handed back as a hint about a person."""

from kit.jose import ASYMMETRIC, KeySet, verify


def hint_claims(hint: str, client_id: str | None, *, issuer: str, keys: KeySet) -> dict[str, object]:
    """It may have expired (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2); TokenRefused for any other."""
    return verify(
        hint,
        keys.public,
        algorithms=ASYMMETRIC,
        typ=["jwt"],
        issuer=issuer,
        audience=client_id,
        require=["sub", "aud", "iat", "exp"],
        leeway_s=400 * 86_400,
    )
