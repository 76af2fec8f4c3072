from idp.account.schema import Account, Fresh
from idp.authenticators.set_password import set_password, stretched
from idp.citizens.end_tokens import end_tokens
from idp.messages.notices import password_changed
from idp.sessions.end import end_all_for
from kit.db import Tx
from kit.i18n import Locale


async def change_password(account: Account, fresh: Fresh, password: str) -> None:
    """Other sessions and all tokens end with the old password (S-06); a notice goes to every contact point.

    Raises PasswordRefused.
    """
    citizen = fresh.citizen
    argon2 = await stretched(account.passwords, account.breached, password, citizen)

    async def once(tx: Tx) -> None:
        await set_password(tx, account.audit, citizen.citizen_id, argon2)
        await end_all_for(
            tx,
            account.audit,
            citizen.citizen_id,
            because="password.changed",
            except_sid=fresh.session.sid,
        )
        await end_tokens(tx, citizen.citizen_id)
        await account.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=password_changed(),
            locale=Locale(citizen.locale),
        )

    await account.db.transact(once)
