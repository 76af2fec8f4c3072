"""The locker's signing keys, as a running process holds them: read from their folder, answered from memory."""

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from kit.errors import Unavailable
from kit.jose import PublicKeys, PublishedKey, SigningKey, TokenRefused, header_of, verify
from kit.offload import Offload
from kit.rereading import Rereading
from locker.signing import folder as files
from locker.signing.folder import Placed

REREAD_S = 30.0
REREAD_UNKNOWN_S = 1.0
"""A kid that is not known may be a minute old and of another process; one that is invented costs no more than this."""
PUBLISHED_MAX = 20
"""As many as a JWK Set may have that we would read ourselves."""

log = logging.getLogger("khizana.keys")


class KeysMissing(Exception):
    """There is no key that signs."""


class Verified(msgspec.Struct, frozen=True):
    claims: dict[str, Any]
    distrusted_from: int | None
    """From when on its key is not believed; whoever has the key can have made this, with any date in it."""


class SigningKeys:
    """``sign`` takes the newest whose time has come. Former keys verify for ever, a distrusted one says that it is."""

    def __init__(self, folder: Path, *, reread_s: float = REREAD_S) -> None:
        self._folder = folder
        self._offload = Offload("signing keys", threads=1, waiting_max=8)
        self._rereading = Rereading("keys", self.reread, every_s=reread_s, log=log)
        self._asked_at = 0.0
        self._placed: Mapping[str, Placed] = {}
        self._signer: SigningKey | None = None
        self._by_kid: dict[str, Placed] = {}
        self._public: dict[str, PublicKeys] = {}

    async def start(self) -> None:
        """Makes the first key of a deployment. Raises KeysMissing where there are keys and none of them signs."""
        await self._offload.run(files.create_first, self._folder)
        await self._rereading.start()
        if self._signer is None:
            raise KeysMissing("no signing key; khizana keys rotate --of locker --at-once")

    async def stop(self) -> None:
        await self._rereading.stop()
        self._offload.close()

    async def reread(self) -> None:
        placed, now = await self._offload.run(files.read, self._folder, self._placed), time.time()
        self._placed = placed
        # The newest first.
        signing = (one.key for one in placed.values() if one.signs_at(now))
        self._signer = next((key for key in signing if isinstance(key, SigningKey)), None)
        self._by_kid = {one.key.kid: one for one in placed.values()}
        self._public = {kid: made for kid, made in self._public.items() if kid in self._by_kid}

    @property
    def signer(self) -> SigningKey:
        """Unavailable where what signed is distrusted and its successor is not here."""
        if self._signer is None:
            raise Unavailable("signing key")
        return self._signer

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        return self.signer.sign(claims, typ=typ)

    def trusted(self) -> Sequence[PublishedKey]:
        """The one that signs, then announced and former ones, the newest first."""
        keys = [one.key for one in self._placed.values() if one.distrusted_from is None]
        return sorted(keys, key=lambda key: key is not self._signer)

    def distrusted(self) -> Sequence[PublishedKey]:
        return [one.key for one in self._placed.values() if one.distrusted_from is not None]

    def jwks(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517 §5) for whoever verifies today. What does not fit is in ``historical``."""
        return {"keys": [key.public_jwk for key in self.trusted()[:PUBLISHED_MAX]]}

    def historical(self) -> dict[str, Any]:
        """All that ever signed, the newest first, each distrusted one with ``revoked`` as OpenID Federation 1.0 has it
        for historical keys."""
        return {
            "keys": [
                one.key.public_jwk
                if one.distrusted_from is None
                else {
                    **one.key.public_jwk,
                    "revoked": {"revoked_at": one.distrusted_from, "reason": "compromised"},
                }
                for one in self._placed.values()
            ]
        }

    async def verified(self, token: str, *, typ: str, issuer: str, leeway_s: int = 5) -> Verified:
        """What one of our keys signed, of any age. TokenRefused for anything else, and for a ``kid`` that is not known
        or not there."""
        kid = header_of(token).get("kid")
        known = await self._find(str(kid))
        if known is None:
            raise TokenRefused("kid")
        public = self._public.get(known.key.kid)
        if public is None:
            public = self._public[known.key.kid] = PublicKeys({"keys": [known.key.public_jwk]})
        claims = verify(
            token,
            public,
            algorithms=("ES256",),
            typ=(typ,),
            issuer=issuer,
            require=("iss", "iat", "jti"),
            leeway_s=leeway_s,
        )
        return Verified(claims, known.distrusted_from)

    async def _find(self, kid: str) -> Placed | None:
        if kid not in self._by_kid and time.monotonic() - self._asked_at > REREAD_UNKNOWN_S:
            self._asked_at = time.monotonic()
            with contextlib.suppress(OSError, ValueError):
                await self.reread()
        return self._by_kid.get(kid)
