"""The record of every act: one row, inserted in the transaction that it describes.

The app's database role may INSERT and SELECT there, nothing else. A row carries identifiers and names of fields, never
names of people, tokens or values.
"""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from kit import metrics
from kit.db import Tx
from kit.ids import new_id

ActorKind = Literal["citizen", "client", "officer", "anonymous", "system"]


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    action: str
    """What was done, as ``noun.verb-past``: ``document.deposited``."""
    actor_kind: ActorKind
    actor: str = ""
    """Identifier of who did it: a ``sub``, a ``client_id``, an officer's name at the command line; empty if unknown."""
    owner: str | None = None
    """The citizen whom it concerns: sees this row. The id by which this app knows citizens."""
    object_id: str | None = None
    """The document, share, client or session that it was done to."""
    purpose: str | None = None
    result: str = "ok"
    """``ok`` or the code of the refusal."""
    detail: dict[str, Any] = {}
    """Small and flat: types, names of fields, counts."""


class Audit:
    """Append-only writer of ``<schema>.audit``."""

    def __init__(self, schema: Literal["idp", "locker"]) -> None:
        self._into = f"""
            INSERT INTO {schema}.audit
                   (audit_id, action, actor_kind, actor, owner, object_id, purpose, result, detail)"""

    async def append(self, tx: Tx, event: AuditEvent, *, audit_id: UUID | None = None) -> None:
        """``audit_id`` where another row, or somebody's receipt, names this one."""
        own, *rest = self.arguments(event)
        await tx.execute(f"{self._into} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", audit_id or own, *rest)

    async def append_several(self, tx: Tx, events: Sequence[AuditEvent]) -> None:
        """In one statement, in their order."""
        await tx.execute(self.cte_of_several(f"{self.unnested(1)} ORDER BY n"), *self.arguments_of_several(events))

    def cte(self, first: int, *, source: str, detail: str = "") -> str:
        """The same row as one part of a larger statement: ``SELECT … FROM source`` with the nine parameters of
        ``arguments`` numbered from ``first``. ``detail`` is SQL of a jsonb object: what only the statement knows of
        it."""
        kinds = ("uuid", "text", "text", "text", "text", "text", "text", "text", "jsonb")
        numbers = ", ".join(f"${number}::{kind}" for number, kind in enumerate(kinds, first))
        return f"{self._into} SELECT {numbers}{detail and f' || {detail}'} FROM {source}"

    def cte_of_several(self, source: str) -> str:
        """One row for each of ``source``, which has the columns of ``unnested``."""
        return f"""{self._into}
            SELECT audit_id, action, actor_kind, actor, owner, object_id, purpose, result, detail::jsonb
              FROM {source}"""

    @staticmethod
    def unnested(first: int) -> str:
        """Several rows as something to select from, numbered ``n`` from 1: the nine parameters of
        ``arguments_of_several``, from ``first``."""
        kinds = ("uuid", *("text",) * 8)
        numbers = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, first))
        return f"""unnest({numbers}) WITH ORDINALITY
                   AS event (audit_id, action, actor_kind, actor, owner, object_id, purpose, result, detail, n)"""

    @staticmethod
    def arguments_of_several(events: Sequence[AuditEvent]) -> Sequence[Sequence[Any]]:
        rows = [Audit.arguments(event) for event in events]
        columns = [[row[place] for row in rows] for place in range(8)]
        return [*columns, [msgspec.json.encode(row[8]).decode() for row in rows]]

    @staticmethod
    def arguments(event: AuditEvent) -> tuple[Any, ...]:
        """Of a row that will be written: it is counted."""
        Audit.count(event)
        return Audit.columns(event, audit_id=new_id())

    @staticmethod
    def count(event: AuditEvent) -> None:
        metrics.event(event.action, event.result, event.detail)

    @staticmethod
    def columns(event: AuditEvent, *, audit_id: UUID) -> tuple[Any, ...]:
        """``arguments`` of a row that is only written if the statement finds something to do: whoever sees that it did
        counts it."""
        return (
            audit_id,
            event.action,
            event.actor_kind,
            event.actor,
            event.owner,
            event.object_id,
            event.purpose,
            event.result,
            event.detail,
        )
