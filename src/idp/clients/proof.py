"""The DPoP proof of a request to one of our endpoints (RFC 9449)."""

import msgspec

from idp.refusals import InvalidDpopProof, UseDpopNonce
from kit import dpop
from kit.direct import Asked
from kit.dpop import Nonces, Proof
from kit.edge import method_sent


class Proofs(msgspec.Struct, frozen=True, kw_only=True):
    issuer: str
    mtls_issuer: str | None
    nonces: Nonces
    nonce_needed: bool
    """Refuse a proof without our nonce; one that is there must be right either way."""

    def of(self, request: Asked, *, path: str, access_token: str | None = None) -> Proof | None:
        """None where the request carries none. ``path`` is the endpoint's, below the issuer.

        The caller spends the proof, by the statement that it writes anyway.
        """
        try:
            shown = dpop.header_in(request.scope["headers"])
            if shown is None:
                return None
            return dpop.check(
                shown,
                method=method_sent(request.scope),
                urls=self._urls(path),
                access_token=access_token,
                nonces=self.nonces,
                nonce_needed=self.nonce_needed,
            )
        except dpop.NonceRefused:
            raise UseDpopNonce(headers=self.nonce()) from None
        except dpop.ProofRefused as refused:
            raise InvalidDpopProof(f"DPoP: {refused.reason}", headers=self.nonce()) from None

    def nonce(self) -> dict[str, str]:
        """The header that offers the next nonce, on every answer to a proof (§8.2)."""
        return {"DPoP-Nonce": self.nonces.current()}

    def _urls(self, path: str) -> tuple[str, ...]:
        ours = f"{self.issuer}{path}"
        return (ours,) if self.mtls_issuer is None else (ours, f"{self.mtls_issuer}{path}")
