"""What a client wants to be told in confidence even from the edge: encrypted to a key of its own (RFC 7516)."""

from typing import Literal

from idp.clients.key_sets import KeySets, NoKeys
from idp.clients.schema import Client
from idp.refusals import InvalidRequest
from kit.jose import Encryption, KeyRefused

Message = Literal["id_token", "userinfo", "introspection"]


async def encryption_for(key_sets: KeySets, client: Client, message: Message) -> Encryption | None:
    """None for a client that registered no ``<message>_encrypted_response_alg``.

    Asked for before anything is spent: a key set that cannot be had costs the client nothing but a repetition.
    """
    alg = getattr(client.metadata, f"{message}_encrypted_response_alg")
    if alg is None:
        return None
    enc = getattr(client.metadata, f"{message}_encrypted_response_enc") or "A128CBC-HS256"
    try:
        return (await key_sets.keys_of(client, kid=None)).encryption(alg, enc)
    except NoKeys as fault:
        raise InvalidRequest(fault.reason) from None
    except KeyRefused as fault:
        raise InvalidRequest(f"jwks: {fault}") from None
