"""What a ping needs is kept readable for us alone: the auth_req_id and the client's bearer token are secrets."""

import msgspec

from idp.backchannel.schema import Told
from idp.citizens.sealed import Sealer
from idp.keys.secrets import Secrets
from kit.tokens import digest


def sealed(secrets: Secrets, told: Told) -> bytes:
    return _sealer(secrets).seal(msgspec.json.encode(told), place=_place(digest(told.auth_req_id)))


def opened(secrets: Secrets, notification_sealed: bytes, auth_req_id_sha256: bytes) -> Told:
    return msgspec.json.decode(_sealer(secrets).open(notification_sealed, place=_place(auth_req_id_sha256)), type=Told)


def _sealer(secrets: Secrets) -> Sealer:
    return Sealer(secrets.derive("ciba-ping"))


def _place(auth_req_id_sha256: bytes) -> str:
    return f"backchannel_request|{auth_req_id_sha256.hex()}"
