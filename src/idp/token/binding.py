"""To what an access token is bound: a key (RFC 9449 §6) and a certificate (RFC 8705 §3)."""

import msgspec

from idp.clients.schema import Client
from idp.refusals import InvalidDpopProof, InvalidRequest
from kit.client_certificate import ClientCertificate
from kit.dpop import Proof


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """What the client has shown in this request, or what a token's ``cnf`` says."""

    jkt: str | None = None
    """SHA-256 thumbprint of the DPoP key (RFC 7638)."""
    x5t: str | None = None
    """SHA-256 thumbprint of the client's certificate (RFC 8705 §3.1)."""

    @property
    def token_type(self) -> str:
        return "Bearer" if self.jkt is None else "DPoP"

    def cnf(self) -> dict[str, str]:
        """The ``cnf`` claim (RFC 7800 §3.1); empty for a bearer token."""
        named = {"jkt": self.jkt, "x5t#S256": self.x5t}
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def of_cnf(cls, cnf: object) -> "Binding":
        """From the claim ``cnf``, of a token that we signed."""
        return cls(jkt=cnf.get("jkt"), x5t=cnf.get("x5t#S256")) if isinstance(cnf, dict) else BEARER


BEARER = Binding()


def binding_of(client: Client, proof: Proof | None, certificate: ClientCertificate | None) -> Binding:
    """What the tokens of this request will be bound to; a client that promised to show a key or a certificate must."""
    if client.dpop_bound and proof is None:
        raise InvalidDpopProof("a DPoP proof is needed")
    by_certificate = client.metadata.tls_client_certificate_bound_access_tokens
    if by_certificate and certificate is None:
        raise InvalidRequest("a client certificate is needed")
    return Binding(
        jkt=proof.jkt if proof else None, x5t=certificate.x5t if by_certificate and certificate is not None else None
    )
