import asyncio

import pytest

from idp.messages.deliver import deliver
from idp.messages.notices import password_changed
from idp.messages.post import Post
from idp.messages.schema import Outgoing
from kit.i18n import Locale
from tests.provider import Provider

pytestmark = pytest.mark.asyncio


class Collected:
    """Foreign code: a gateway that fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.sent: list[Outgoing] = []

    async def send(self, message: Outgoing) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the gateway is away")
        self.sent.append(message)


async def posted(idp: Provider, count: int = 1) -> None:
    citizen_id = await idp.citizen()
    await idp.owner("DELETE FROM idp.outbox")
    post = Post(idp.wiring.secrets, idp.wiring.pages)
    for _ in range(count):
        await post.post(
            idp.wiring.db,
            citizen_id=citizen_id,
            channel="email",
            address="amina@example.org",
            notice=password_changed(),
            locale=Locale.EN,
        )


async def delivered(idp: Provider, sender: Collected) -> int:
    return await deliver(idp.wiring.db, idp.wiring.secrets, sender, channels=["email"])


async def test_a_message_leaves_once_although_two_deliver(idp: Provider) -> None:
    await posted(idp, 20)
    sender = Collected()
    await asyncio.gather(delivered(idp, sender), delivered(idp, sender))
    assert len({message.message_id for message in sender.sent}) == len(sender.sent) == 20
    assert sender.sent[0].letter.address == "amina@example.org"
    assert sender.sent[0].letter.subject == "Your password was changed"


async def test_what_a_sender_refuses_is_tried_again_later(idp: Provider) -> None:
    await posted(idp)
    sender = Collected(failures=1)
    assert await delivered(idp, sender) == 0
    assert await delivered(idp, sender) == 0
    await idp.owner("UPDATE idp.outbox SET next_try_at = now()")
    assert await delivered(idp, sender) == 1


async def test_what_lost_its_meaning_is_not_sent(idp: Provider) -> None:
    await posted(idp)
    await idp.owner("UPDATE idp.outbox SET expires_at = now()")
    assert await delivered(idp, Collected()) == 0


async def test_the_page_shows_messages_where_a_setting_says_so(idp: Provider) -> None:
    await posted(idp)
    page = await idp.http.get("/idp/outbox")
    assert page.status_code == 200
    assert "amina@example.org" in page.text
