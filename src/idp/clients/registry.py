"""Clients as parsed from their rows: a revision is parsed once a process."""

from collections import OrderedDict
from typing import Any

import msgspec

from idp.clients.schema import Client, ClientMetadata
from kit.db import Row
from kit.jose import PublicKeys

_CLIENTS_MAX = 10_000


class ClientRegistry:
    """A statement that joins ``idp.client`` selects ``store.COLUMNS`` with the revision that is known here, and gets
    the metadata only where the row has a newer one. State and revision always come from the row: a disabled client is
    disabled with the next statement."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Client] = OrderedDict()

    def known_revision(self, client_id: str) -> int:
        known = self._known.get(client_id)
        return known.revision if known else 0

    def client(self, row: Row) -> Client:
        client_id: str = row["client_id"]
        known = self._known.get(client_id)
        if known is None or row["metadata"] is not None or known.revision != row["revision"]:
            metadata: Any = row["metadata"]
            if metadata is None:
                raise LookupError("the row came without its metadata")
            parsed = msgspec.convert(metadata, ClientMetadata)
            known = Client(
                client_id=client_id,
                profile=row["profile"],
                sector=row["sector"],
                legal_ground=row["legal_ground"],
                state=row["client_state"],
                metadata=parsed,
                secret_sha256=row["secret_sha256"],
                previous_secret_sha256=row["previous_secret_sha256"],
                previous_secret_until=row["previous_secret_until"],
                revision=row["revision"],
                keys=PublicKeys(parsed.jwks) if parsed.jwks else None,
            )
            self._known[client_id] = known
            if len(self._known) > _CLIENTS_MAX:
                self._known.popitem(last=False)
        return known
