from kit.db import Tx

MOST = 100_000


async def count_up_to(tx: Tx, rows: str, *, most: int = MOST) -> int:
    """How many ``rows`` ("schema.table WHERE …") there are, for somebody who watches a queue: beyond ``most`` it does
    not matter, and to count a backlog of millions each minute makes it longer."""
    found: int = await tx.fetchval(f"SELECT count(*) FROM (SELECT FROM {rows} LIMIT {most}) AS counted")
    return found
