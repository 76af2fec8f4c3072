"""Rows past their time, some at a time: after a worker that was away for days they are millions, and one statement for
all of them is cut off at its limit, each time again."""

from typing import Any

from kit.db import Tx

BATCH = 1_000
BATCHES_MAX = 1_000
"""So many rows a round; more than come in a minute."""


async def forget(
    tx: Tx, table: str, when: str, *args: Any, batch_max: int = BATCH, batches_max: int = BATCHES_MAX
) -> int:
    """Delete the rows for which ``when`` holds, a condition in SQL that an index finds: how many. Given a Database,
    each batch is a transaction of its own, and what was deleted stays deleted if a later one fails.

    Any number of workers may do it at once. A row that gets more time meanwhile stays.
    """
    # Asked again outside: where somebody else changed a row that we waited for, PostgreSQL looks at that alone anew.
    sql = f"""
        DELETE FROM {table}
         WHERE ctid = ANY (ARRAY (SELECT ctid FROM {table} WHERE {when} LIMIT {batch_max})) AND {when}"""
    gone = 0
    for _ in range(batches_max):
        done = int((await tx.execute(sql, *args)).rsplit(" ", 1)[1])
        gone += done
        if done < batch_max:
            break
    return gone
