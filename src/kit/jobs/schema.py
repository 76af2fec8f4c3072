"""A job, how a kind of job is done, and what may come of one."""

import datetime as dt
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from uuid import UUID

import msgspec

from kit.db import Tx

Within = Callable[[Tx], Awaitable[None]]
"""Runs in the transaction that ends the attempt, after the fence was checked: its writes happen once, or not at all."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    job_id: UUID
    kind: str
    lane: str
    body: dict[str, Any]
    """Identifiers only: what they lead to is read when the job is done, so that nothing stale is acted on."""
    attempts: int
    """This one included."""
    fence: int
    enqueued_at: dt.datetime


class Done(msgspec.Struct, frozen=True):
    within: Within | None = None


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Not now. ``after_s`` is taken as it is: jitter is the handler's, where it has a schedule of its own."""

    after_s: float
    reason: str
    counted: bool = True
    """False where nothing was tried: the attempt is given back."""
    within: Within | None = None


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    within: Within | None = None


Outcome = Done | Again | Dead
Handler = Callable[[Job], Awaitable[Outcome]]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    handler: Handler
    """What it does outside the database may happen more than once. An exception is an attempt that failed; Unavailable
    is none: a part of ours is away, the job waits and the attempt is given back. That somebody else is away is the
    handler's to say."""
    lease_s: float = 60.0
    """A handler has nine tenths of it, then it is cancelled; after it somebody else takes the job."""
    at_once_max: int = 16
    per_lane_max: int = 16
    """In each process."""
    narrow: Callable[[], Collection[str]] = tuple
    """Lanes that get one place for now, and half of all places together."""
    attempts_max: int = 10
    lapses_max: int = 3
    """Beyond ``attempts_max``, for attempts whose end nobody wrote: of a worker that died, which counts, and of one
    from which the database was away, which does not, the row knows the same."""
    away_wait_s: float = 30.0
    """At most, and half of it at least."""
    first_wait_s: float = 5.0
    wait_max_s: float = 3_600.0
    buried: Callable[[Tx, Job], Awaitable[None]] | None = None
    """Runs where the job dies without a word of its handler: of an exception, or of workers that died with it."""


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """For whoever looks."""

    job_id: UUID
    kind: str
    lane: str
    state: str
    """``waiting``, ``taken`` or ``dead``."""
    body: dict[str, Any]
    attempts: int
    due_at: dt.datetime
    last_reason: str | None
    enqueued_at: dt.datetime
    dead_at: dt.datetime | None
