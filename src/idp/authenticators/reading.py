"""What one row tells of a citizen's methods, for every statement that reads them together with something else."""

import datetime as dt

from idp.authenticators.schema import Destination, Method, Methods
from idp.freezing.store import frozen_condition
from kit.db import Row

PHONE_UNUSED_MAX_DAYS = 365

COLUMNS = f"""t.secret_sealed IS NOT NULL AS totp, coalesce(t.last_used_at, t.confirmed_at) AS totp_used_at,
               m.channel, m.address, coalesce(m.last_used_at, m.confirmed_at) AS code_used_at,
               m.channel = 'sms' AND coalesce(m.last_used_at, m.confirmed_at)
                 < now() - interval '{PHONE_UNUSED_MAX_DAYS} days' AS code_is_stale,
               k.passkeys, k.passkey_used_at,
               (SELECT count(*)::int FROM idp.recovery_code r
                 WHERE r.citizen_id = c.citizen_id AND r.spent_at IS NULL) AS recovery_codes,
               ARRAY(SELECT fz.name FROM idp.frozen fz
                      WHERE fz.citizen_id = c.citizen_id AND fz.kind = 'authenticator') AS frozen"""
"""What ``methods_in`` reads, for whoever joins TABLES to ``idp.citizen c``."""

PASSKEY_FROZEN = frozen_condition("authenticator", citizen_id="p.citizen_id", name="'passkey:' || p.passkey_id::text")

PROOFING = """CASE WHEN c.proofing = 'desk' AND EXISTS (
                         SELECT 1 FROM idp.recovery_wait r
                          WHERE r.citizen_id = c.citizen_id AND r.finished_at IS NOT NULL AND r.settled_at IS NULL)
                    THEN 'remote' ELSE c.proofing END AS proofing"""
"""How well whoever holds the authenticators was seen: after a recovery by waiting nobody was, until the next visit."""

TABLES = f"""
          LEFT JOIN idp.totp t ON t.citizen_id = c.citizen_id
          LEFT JOIN idp.code_by_message m ON m.citizen_id = c.citizen_id
          LEFT JOIN LATERAL (SELECT count(*)::int AS passkeys,
                                    max(coalesce(p.last_used_at, p.created_at)) AS passkey_used_at
                               FROM idp.passkey p
                              WHERE p.citizen_id = c.citizen_id AND NOT {PASSKEY_FROZEN}) k ON true"""


def methods_in(row: Row, *, password: bool) -> Methods:
    used: dict[Method, dt.datetime | None] = {
        "totp": row["totp_used_at"] if row["totp"] else None,
        "code": row["code_used_at"],
        "passkey": row["passkey_used_at"],
    }
    latest = sorted(
        ((at, method) for method, at in used.items() if at is not None), key=lambda one: one[0], reverse=True
    )
    return Methods(
        password=password,
        totp=bool(row["totp"]),
        code=None if row["channel"] is None else Destination(row["channel"], row["address"]),
        code_is_stale=bool(row["code_is_stale"]),
        passkeys=row["passkeys"] or 0,
        recovery_codes=row["recovery_codes"] or 0,
        frozen=frozenset(row["frozen"] or ()),
        used=tuple(method for _, method in latest),
    )
