"""F-33: mail server and gateway are down. The message waits, other ways are offered, and nothing fails."""

import re

import pytest

from idp.messages.deliver import MessageDelivery
from khizana.senders import Senders
from tests.conftest import Dsns
from tests.people import active, first_factor, last_code, post, rested, second_factor, signed_in, submit
from tests.product import free_port
from tests.provider import running_provider
from tests.senders import gateway, mail_server

pytestmark = pytest.mark.asyncio


async def test_f_33_messages_wait_while_senders_are_down_and_other_ways_are_offered(dsns: Dsns) -> None:
    port = free_port()
    async with running_provider(dsns.idp, dsns.owner) as idp:
        person = await active(idp)
        async with signed_in(idp, person) as browser:
            await post(browser, "/idp/account/codes", channel="email", expect=303)
            code = await last_code(idp, person.citizen_id)
            await post(browser, "/idp/account/codes/confirm", otp=code, expect=303)
        await idp.owner("UPDATE idp.outbox SET sent_at = now()")
        await rested(idp, person)
        with gateway() as texts:
            texts.status = 503
            environ = {
                "KHIZANA_SMTP_URL": f"smtp+plain://127.0.0.1:{port}",
                "KHIZANA_MAIL_FROM": "no-reply@id.test",
                "KHIZANA_SMS_URL": texts.url,
                "KHIZANA_SMS_TOKEN": "t",
            }
            senders = Senders.of(environ, at_once_max=8)
            deliveries = [
                MessageDelivery(idp.wiring.db, idp.wiring.secrets, senders, channel=channel, at_once_max=8)
                for channel in senders.channels
            ]

            async def round_() -> int:
                return sum([await delivery.deliver() for delivery in deliveries])

            async with idp.browser() as browser:
                assert (await first_factor(browser, person)).status_code == 303
                page = await browser.get("/idp/sign-in/second-factor")
                if 'name="way" value="code"' in page.text and "another-code" not in page.text:
                    await submit(browser, "/idp/sign-in/another-way", page, way="code")
                assert await round_() == 0
                waiting = await idp.owner("SELECT tries FROM idp.outbox WHERE sent_at IS NULL")
                assert waiting
                assert all(row["tries"] == 1 for row in waiting)
                # The same moment again: nobody hammers a server that is down.
                assert await round_() == 0
                # The app works without any message.
                page = await browser.get("/idp/sign-in/second-factor")
                assert (await submit(browser, "/idp/sign-in/another-way", page, way="totp")).status_code == 303
                assert (await second_factor(browser, person.otp())).status_code == 303
            with mail_server(port) as mails:
                texts.status = 200
                await idp.owner("UPDATE idp.outbox SET next_try_at = now() WHERE sent_at IS NULL")
                assert await round_() == len(waiting)
                assert any(re.search(rb"\d{6}", one.content) for one in mails.mails)
                assert await round_() == 0
