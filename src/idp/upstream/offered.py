from idp.upstream import store
from idp.upstream.refusals import UpstreamUnknown
from idp.upstream.schema import Upstream
from kit.db import Tx


async def offered(tx: Tx) -> list[Upstream]:
    """The providers whose buttons stand on the sign-in page, in the order in which they were registered."""
    return await store.active(tx)


async def find_offered(tx: Tx, slug: str) -> Upstream:
    """Raises UpstreamUnknown, also for one that is disabled."""
    upstream = await store.one_active(tx, slug)
    if upstream is None:
        raise UpstreamUnknown
    return upstream
