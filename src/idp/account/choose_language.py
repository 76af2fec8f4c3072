from idp.account.schema import Account
from idp.citizens.record_locale import record_locale
from idp.sessions.schema import Session
from kit.db import Tx
from kit.i18n import Locale


async def choose_language(account: Account, session: Session, locale: Locale) -> None:
    async def once(tx: Tx) -> None:
        await record_locale(tx, account.audit, session.citizen_id, locale)

    await account.db.transact(once)
