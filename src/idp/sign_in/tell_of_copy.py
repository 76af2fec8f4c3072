from idp.authenticators.prove_passkey import NotProven
from idp.citizens.find import find_citizen
from idp.messages.notices import passkey_copy_suspected
from idp.sign_in.schema import SignIn
from kit.db import Tx
from kit.i18n import Locale


async def tell_of_copy(tx: Tx, parts: SignIn, found: NotProven) -> None:
    """A passkey whose count went back may exist twice: its owner hears of it, on every channel."""
    if found.why != "copied" or found.citizen_id is None:
        return
    citizen = await find_citizen(tx, found.citizen_id)
    if citizen is not None:
        await parts.post.tell(
            tx,
            citizen_id=citizen.citizen_id,
            claims=citizen.claims,
            notice=passkey_copy_suspected(),
            locale=Locale(citizen.locale),
        )
