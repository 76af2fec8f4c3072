"""F-33: a mail server or a gateway that is slow, or takes connections and never answers. The other channel goes on, and
nobody gets a message twice."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from idp.messages.deliver import MessageDelivery
from idp.messages.notices import code_notice, password_changed
from idp.messages.post import Post
from idp.messages.schema import Channel, Notice
from khizana.senders import Senders
from kit.i18n import Locale
from tests.conftest import ROOT, Dsns
from tests.provider import Provider, running_provider
from tests.senders import Gateway, gateway, mail_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODE = code_notice("123456", purpose="sign-in", lifetime_s=600)
AT_ONCE_MAX = 4
ADDRESSES: Mapping[Channel, str] = {"sms": "+212612345678", "email": "amina@example.org"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp(dsns: Dsns) -> AsyncIterator[Provider]:
    async with running_provider(dsns.idp, dsns.owner) as provider:
        yield provider


async def posted(idp: Provider, *messages: tuple[Channel, Notice]) -> list[UUID]:
    """Into an empty outbox."""
    citizen_id = await idp.citizen()
    await idp.owner("DELETE FROM idp.outbox")
    await idp.owner("DELETE FROM idp.throttle")
    post = Post(idp.wiring.secrets, idp.wiring.pages)
    for channel, notice in messages:
        assert await post.post(
            idp.wiring.db,
            citizen_id=citizen_id,
            channel=channel,
            address=ADDRESSES[channel],
            notice=notice,
            locale=Locale.EN,
        )
    return [row["message_id"] for row in await idp.owner("SELECT message_id FROM idp.outbox")]


@contextmanager
def never_answering() -> Iterator[int]:
    """A port where connections are taken and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def senders(*, mail_port: int, sms_url: str) -> Senders:
    environ = {
        "KHIZANA_SMTP_URL": f"smtp+plain://127.0.0.1:{mail_port}",
        "KHIZANA_MAIL_FROM": "no-reply@id.test",
        "KHIZANA_SMS_URL": sms_url,
        "KHIZANA_SMS_TOKEN": "t",
    }
    return Senders.of(environ, at_once_max=AT_ONCE_MAX)


def delivery(idp: Provider, by: Senders, channel: Channel, *, send_max_s: float, lease_s: float) -> MessageDelivery:
    return MessageDelivery(
        idp.wiring.db,
        idp.wiring.secrets,
        by,
        channel=channel,
        at_once_max=AT_ONCE_MAX,
        send_max_s=send_max_s,
        lease_s=lease_s,
    )


async def test_f_33_a_mail_server_that_never_answers_holds_no_text_message_up(idp: Provider) -> None:
    await posted(idp, *[("email", password_changed())] * 10, *[("email", CODE)] * 2, *[("sms", CODE)] * 6)
    with never_answering() as port, gateway() as texts:
        by = senders(mail_port=port, sms_url=texts.url)
        mails = delivery(idp, by, "email", send_max_s=60, lease_s=120)
        assert await mails.start_due() == AT_ONCE_MAX
        assert await delivery(idp, by, "sms", send_max_s=30, lease_s=60).deliver() == 6
        assert len(texts.asked) == 6
        # Every mail that was begun is under way still.
        assert await mails.start_due() == 0
        await mails.close(finish_s=0)


def worker(idp: Provider, texts: Gateway, log: Path) -> "subprocess.Popen[bytes]":
    """``khizana worker --for idp``, as its operator starts it."""
    settings = idp.wiring.settings
    own = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "khizana", "worker", "--for", "idp"],
            env=own
            | {
                "PYTHONPATH": str(ROOT / "src"),
                "KHIZANA_MODE": settings.mode,
                "KHIZANA_ISSUER": settings.issuer,
                "KHIZANA_IDP_DATABASE_URL": settings.database_url,
                "KHIZANA_IDP_SECRET": settings.secret,
                "KHIZANA_IDP_KEYS_FOLDER": str(settings.keys_folder),
                "KHIZANA_SMS_URL": texts.url,
                "KHIZANA_SMS_TOKEN": "t",
            },
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


async def test_f_33_a_worker_is_killed_while_it_sends_and_the_next_one_sends_the_same(
    idp: Provider, tmp_path: Path
) -> None:
    """Between the gateway's yes and our note of it nobody can know: rather twice than never, under the same id."""
    ids = await posted(idp, *[("sms", CODE)] * 3)
    with gateway() as texts:
        texts.may_answer.clear()
        first = worker(idp, texts, tmp_path / "worker.log")
        try:
            for _ in ids:
                assert await asyncio.to_thread(texts.was_asked.acquire, timeout=60)
        finally:
            first.kill()
            first.wait()
        assert await idp.owner("SELECT 1 FROM idp.outbox WHERE sent_at IS NOT NULL OR next_try_at <= now()") == []
        texts.may_answer.set()
        # Its leases end; nobody waits for them here.
        await idp.owner("UPDATE idp.outbox SET next_try_at = now()")
        by = senders(mail_port=9, sms_url=texts.url)
        assert await delivery(idp, by, "sms", send_max_s=10, lease_s=20).deliver() == 3
        told = sorted(body["id"] for _, _, body in texts.asked)
        assert told == sorted([*map(str, ids)] * 2)


async def test_f_33_a_worker_that_is_told_to_stop_finishes_what_is_on_its_way(idp: Provider, tmp_path: Path) -> None:
    ids = await posted(idp, *[("sms", CODE)] * 3)
    with gateway() as texts:
        texts.may_answer.clear()
        log = tmp_path / "worker.log"
        stopped = worker(idp, texts, log)
        try:
            for _ in ids:
                assert await asyncio.to_thread(texts.was_asked.acquire, timeout=60)
            stopped.terminate()
            texts.may_answer.set()
            assert await asyncio.to_thread(stopped.wait, 20) == 0, log.read_text(errors="replace")[-2_000:]
        finally:
            stopped.kill()
        assert len(await idp.owner("SELECT 1 FROM idp.outbox WHERE sent_at IS NOT NULL")) == len(texts.asked) == 3


async def test_f_33_a_worker_that_is_told_to_stop_gives_back_what_does_not_finish(
    idp: Provider, tmp_path: Path
) -> None:
    await posted(idp, *[("sms", CODE)] * 3)
    with gateway() as texts:
        texts.may_answer.clear()
        stopped = worker(idp, texts, tmp_path / "worker.log")
        try:
            for _ in range(3):
                assert await asyncio.to_thread(texts.was_asked.acquire, timeout=60)
            stopped.terminate()
            assert await asyncio.to_thread(stopped.wait, 20) == 0
        finally:
            stopped.kill()
        free = await idp.owner("SELECT tries FROM idp.outbox WHERE sent_at IS NULL AND next_try_at <= now()")
        assert [row["tries"] for row in free] == [0, 0, 0]


async def test_f_33_the_log_says_why_a_message_was_not_sent_and_to_whom_it_was_does_not(
    idp: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    await posted(idp, ("email", CODE), ("sms", CODE))
    with mail_server() as mails, gateway() as texts:
        mails.refuses, texts.status = "550 5.1.1 <{}> is unknown", 503
        by = senders(mail_port=mails.port, sms_url=texts.url)
        for channel in by.channels:
            assert await delivery(idp, by, channel, send_max_s=10, lease_s=20).deliver() == 0
    # The mail server of the tests writes into the same process's log.
    said = "\n".join(caplog.handler.format(record) for record in caplog.records if not record.name.startswith("mail."))
    assert "550" in said
    assert "503" in said
    for secret in ("amina", "example.org", "612345678", "123456"):
        assert secret not in said


async def test_f_33_two_workers_and_a_slow_gateway_each_message_is_sent_once(idp: Provider) -> None:
    ids = await posted(idp, *[("sms", password_changed())] * 24, *[("sms", CODE)] * 4)
    with never_answering() as port, gateway() as texts:
        texts.may_answer.clear()
        workers = [
            delivery(idp, senders(mail_port=port, sms_url=texts.url), "sms", send_max_s=60, lease_s=120)
            for _ in range(2)
        ]
        delivering = asyncio.gather(*(worker.deliver() for worker in workers))
        for _ in range(2 * AT_ONCE_MAX):
            assert await asyncio.to_thread(texts.was_asked.acquire, timeout=60)
        # What waits for a place has no lease that could end meanwhile: only what is under way is anybody's.
        taken = await idp.owner("SELECT message_id FROM idp.outbox WHERE tries > 0")
        begun = [body for _, _, body in texts.asked]
        assert {str(row["message_id"]) for row in taken} == {body["id"] for body in begun}
        # Codes had the first places.
        assert sum("123456" in body["text"] for body in begun) == 4
        texts.may_answer.set()
        assert sum(await delivering) == 28
        told = [body["id"] for _, _, body in texts.asked]
        assert sorted(told) == sorted(str(one) for one in ids)
