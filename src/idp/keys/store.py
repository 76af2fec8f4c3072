from kit.db import Tx


async def claim_rotation(tx: Tx, alg: str, *, lease_s: int) -> bool:
    """One caller wins until the lease ends; a worker that dies in between leaves the turn to the next."""
    return (
        await tx.fetchval(
            """
            INSERT INTO idp.key_rotation AS r (alg, claimed_until) VALUES ($1, now() + make_interval(secs => $2))
            ON CONFLICT (alg) DO UPDATE SET claimed_until = excluded.claimed_until WHERE r.claimed_until <= now()
            RETURNING alg""",
            alg,
            float(lease_s),
        )
        is not None
    )
