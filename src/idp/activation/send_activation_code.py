from idp.activation.opened import opened
from idp.activation.refusals import ActivationOver
from idp.activation.schema import Activation
from idp.authenticators.schema import Channel
from idp.authenticators.send_code import send_code
from kit.db import Tx
from kit.i18n import Locale


async def send_activation_code(
    parts: Activation, *, browser_sha256: bytes, channel: Channel, locale: Locale, asked_from: str
) -> None:
    """Raises ActivationOver, TooManyCodes."""

    async def once(tx: Tx) -> None:
        activation = await opened(tx, browser_sha256)
        to = next((to for to in activation.destinations if to.channel == channel), None)
        if to is None:
            raise ActivationOver
        await send_code(
            tx,
            parts.audit,
            parts.throttle,
            parts.secrets,
            parts.post,
            activation.citizen.citizen_id,
            to,
            purpose="activation",
            binding=browser_sha256.hex(),
            locale=locale,
            lifetime_s=parts.one_time_code_lifetime_s,
            asked_from=asked_from,
        )

    await parts.db.transact(once)
