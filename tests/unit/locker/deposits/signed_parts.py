"""Data as the administrations of a ``World`` sign it, as parts of a deposit."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest

from khizana.demo.pki import Pki
from locker.signatures.seal import LocalTimeStamper
from tests.locker_world import INTERIOR, World
from tests.unit.locker.signatures import data_signatures
from tests.unit.locker.signatures.data_signatures import DATA, cades, jades, xades
from tests.unit.locker.signatures.signature_pki import Holder

FORMS = ["xades", "jades", "cades", "cades with its data"]


class Sealing(Protocol):
    pki: Pki


@contextmanager
def stamped_by(world: Sealing) -> Iterator[None]:
    """Within, signatures over data carry time stamps of this world's authority."""
    tsa = world.pki.tsa
    stamper = LocalTimeStamper(tsa.key, tsa.der, [world.pki.issuing.der])

    def time_stamp(imprinted: bytes) -> bytes:
        return bytes(stamper.token(hashlib.sha256(imprinted).digest(), "sha256").dump())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_signatures, "time_stamp", time_stamp)
        yield


def seal_of(world: Sealing, administration: str = INTERIOR) -> Holder:
    seal, issuing = world.pki.seals[administration], world.pki.issuing
    issuer: Any = issuing.key
    return Holder(seal.key, seal.certificate, (Holder(issuer, issuing.certificate),))


def signed(world: World, form: str, administration: str = INTERIOR, *, stamped: bool = True) -> dict[str, bytes]:
    """The parts of the deposit."""
    by = seal_of(world, administration)
    if form == "xades":
        return {"data": xades(by=by, stamped=stamped)}
    if form == "jades":
        name = "flattened stamped" if stamped else "flattened"
        return {"data": DATA, "data_signature": jades(by=by, form=name, detached=True)}
    if form == "cades":
        return {"data": DATA, "data_signature": cades(by=by, stamped=stamped)}
    return {"data": cades(by=by, stamped=stamped, held=True)}
