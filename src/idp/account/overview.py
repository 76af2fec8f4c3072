from idp.account.refusals import NotSignedIn
from idp.account.schema import Overview
from idp.authenticators.methods import methods_of
from idp.citizens.find import find_citizen
from idp.recovery.end_wait import under_way
from idp.sessions.list import list_for
from idp.sessions.schema import Session
from kit.db import Tx


async def overview(tx: Tx, session: Session, *, idle_s: int) -> Overview:
    citizen = await find_citizen(tx, session.citizen_id)
    if citizen is None:
        raise NotSignedIn
    return Overview(
        citizen=citizen,
        methods=await methods_of(tx, session.citizen_id),
        sessions=await list_for(tx, session.citizen_id, idle_s=idle_s),
        recovery=await under_way(tx, session.citizen_id),
    )
