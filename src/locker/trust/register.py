from collections import OrderedDict

from kit.db import Tx
from locker.administrations.find_seals import find_seals
from locker.administrations.schema import Depositor
from locker.signatures.schema import Trust
from locker.trust import list_store, store

_KEPT_MAX = 500


class TrustRegister:
    """What is believed now, read again only when its version has moved: a withdrawal counts from the next judgement."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Trust] = OrderedDict()

    async def trust(self, tx: Tx, depositor: Depositor | None = None) -> Trust:
        """With the seal certificates of one administration, or without any for the public verification."""
        version = str(await store.version(tx))
        if depositor is not None:
            version = f"{version}.{depositor.administration}.{depositor.version}"
        kept = self._kept.get(version)
        if kept is None:
            kept = self._kept[version] = await self._read(tx, version, depositor)
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        return kept

    async def _read(self, tx: Tx, version: str, depositor: Depositor | None) -> Trust:
        anchors = await store.anchors(tx)
        materials = await store.materials(tx)
        return Trust(
            version=version,
            anchors=tuple(anchor.der for anchor in anchors if anchor.purpose == "any"),
            time_stamp_anchors=tuple(anchor.der for anchor in anchors if anchor.purpose == "time-stamp"),
            responders=tuple(anchor.der for anchor in anchors if anchor.purpose == "ocsp"),
            intermediates=tuple(material.der for material in materials if material.kind == "certificate"),
            crls=tuple(material.der for material in materials if material.kind == "crl"),
            ocsps=tuple(material.der for material in materials if material.kind == "ocsp"),
            seals=tuple(await find_seals(tx, depositor.administration)) if depositor else (),
            services=tuple(await list_store.services(tx)),
        )
