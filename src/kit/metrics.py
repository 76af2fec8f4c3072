"""What a running process counts, for Prometheus. Labels are names of ours (routes, actions, algorithms): never a
value that a caller sent, never anything about a person.

With PROMETHEUS_MULTIPROC_DIR set before the start each process counts in a file of its own there, and whoever serves
the sums reads them all (khizana.metrics); without it the same calls count in memory and nobody looks.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

# The methods that HTTP knows; anything else a caller may write is one label.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# RFC 8176, and our own names of methods. Another provider's words are not labels.
_BY = frozenset(
    {"pwd", "pin", "otp", "sms", "mfa", "user", "hwk", "swk", "pop", "kba", "rc", "fed"}
    | {"password", "totp", "code", "email", "passkey", "recovery-code"}
)

requests = Counter("khizana_requests_total", "Requests by route and class of status.", ("method", "route", "status"))
seconds = Histogram(
    "khizana_request_seconds",
    "From the first byte of a request to the last of its answer, by route.",
    ("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
events = Counter(
    "khizana_events_total",
    "What the audit records, by action and result; by says with which methods, where the record does.",
    ("action", "result", "by"),
)
grants = Counter(
    "khizana_grants_total", "Token responses by grant type and profile of the client.", ("type", "profile")
)
limited = Counter("khizana_limited_total", "Requests refused by a rate.", ("endpoint", "rate"))
queued = Gauge(
    "khizana_queue", "Calls that wait or run in a bounded pool, by pool.", ("name",), multiprocess_mode="livesum"
)
refused = Counter("khizana_queue_refused_total", "Calls that a full pool refused.", ("name",))
waiting = Gauge(
    "khizana_waiting", "Rows that wait for the worker: outbox, logout.", ("what",), multiprocess_mode="livemax"
)
connections = Gauge(
    "khizana_database_connections", "Connections of the pool by state.", ("state",), multiprocess_mode="livesum"
)
key_age = Gauge(
    "khizana_signing_key_age_seconds", "For how long the signing key signs.", ("alg",), multiprocess_mode="livemax"
)
keys_read_age = Gauge(
    "khizana_keys_read_age_seconds",
    "How old the published keys are at most: more than a minute says that their place is away.",
    multiprocess_mode="livemax",
)
messages = Counter(
    "khizana_messages_total",
    "Messages to citizens by channel and outcome: sent, again (one try that failed), late (past its use, never sent).",
    ("channel", "outcome"),
)
message_seconds = Histogram(
    "khizana_message_seconds",
    "From a message's reason to its being taken by mail server or gateway; awaited: by somebody just then (a code).",
    ("channel", "awaited"),
    buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 3_600, 21_600),
)
jobs = Counter(
    "khizana_jobs_total",
    "Attempts at background jobs by kind and outcome: done, again, dead, lease-lost.",
    ("kind", "outcome"),
)
trust_lists = Gauge(
    "khizana_trust_lists",
    "Followed trust lists: in-force, expired (still used), closed, never-read; failing: the last try was refused.",
    ("state",),
    multiprocess_mode="livemax",
)
log_damaged = Counter(
    "khizana_log_damaged_total",
    "Objects of the log that were not what was written there, by kind; each was written again.",
    ("object",),
)

_requests: dict[tuple[str, str, int], Any] = {}
_seconds: dict[str, Any] = {}


def request_done(method: str, route: str, status: int, took_s: float) -> None:
    """``route`` is a template of ours."""
    at = (method if method in _METHODS else "other", route, status // 100)
    counter = _requests.get(at)
    if counter is None:
        # Looking a label up costs more than counting.
        counter = _requests[at] = requests.labels(at[0], route, f"{at[2]}xx" if at[2] else "none")
        _seconds.setdefault(route, seconds.labels(route))
    counter.inc()
    _seconds[route].observe(took_s)


_grants: dict[tuple[str, str], Any] = {}
_events: dict[tuple[str, str, str], Any] = {}


def granted(grant_type: str, profile: str) -> None:
    """Both are names of ours."""
    counter = _grants.get((grant_type, profile))
    if counter is None:
        counter = _grants[grant_type, profile] = grants.labels(grant_type, profile)
    counter.inc()


def event(action: str, result: str, detail: Mapping[str, Any]) -> None:
    amr = detail.get("amr")
    how = amr if isinstance(amr, list) else [detail["method"]] if "method" in detail else []
    at = (action, result, "+".join([one if one in _BY else "other" for one in how]) if how else "")
    counter = _events.get(at)
    if counter is None:
        counter = _events[at] = events.labels(*at)
    counter.inc()
