"""Mail by SMTP and text messages by HTTP, against real servers."""

import asyncio
import datetime as dt
import ssl
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from urllib.parse import quote

import pytest

from idp.messages.deliver import LEASE_S, SEND_MAX_S
from idp.messages.schema import Channel, Letter, NotSent, Outgoing
from khizana.senders import GOODBYE_MAX_S, TIMEOUT_S, Senders
from kit.ids import new_id
from kit.settings import SettingRefused
from tests.product import free_port
from tests.senders import PASSWORD, USER, certificate_for_localhost, gateway, mail_server


def message(channel: Channel, address: str) -> Outgoing:
    return Outgoing(
        message_id=new_id(),
        kind="code.sign-in",
        channel=channel,
        created_at=dt.datetime.now(dt.UTC),
        letter=Letter(address=address, locale="ar-MA", subject="رمزك", text="123456 هو رمزك"),
    )


def by_mail(url: str) -> Senders:
    return Senders.of({"KHIZANA_SMTP_URL": url, "KHIZANA_MAIL_FROM": "no-reply@id.example.ma"}, at_once_max=2)


async def test_mail_goes_out_by_smtp_as_it_was_written() -> None:
    with mail_server() as server:
        sent = message("email", "amina@example.org")
        await by_mail(f"smtp+plain://127.0.0.1:{server.port}").send(sent)
    assert [(one.mail_from, one.rcpt_tos) for one in server.mails] == [
        ("no-reply@id.example.ma", ["amina@example.org"])
    ]
    mail = message_from_bytes(server.mails[0].content, policy=default)
    assert (mail["subject"], mail["content-language"]) == ("رمزك", "ar-MA")
    assert mail.get_content().strip() == "123456 هو رمزك"
    assert mail["message-id"] == f"<{sent.message_id}@id.example.ma>"


async def test_mail_goes_out_by_starttls_and_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = certificate_for_localhost(tmp_path)
    with mail_server(context=context) as server:
        url = f"smtp://{USER}:{quote(PASSWORD, safe='')}@localhost:{server.port}"
        # Without trust in the certificate neither login nor mail is given.
        with pytest.raises(ssl.SSLError):
            await by_mail(url).send(message("email", "amina@example.org"))
        assert (server.mails, server.logins) == ([], 0)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        await by_mail(url).send(message("email", "amina@example.org"))
        assert (len(server.mails), server.logins) == (1, 1)
        with pytest.raises(NotSent, match="535"):
            await by_mail(url.replace("p%40ss", "wrong")).send(message("email", "amina@example.org"))
        assert len(server.mails) == 1


async def test_mail_goes_out_by_tls_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = certificate_for_localhost(tmp_path)
    with mail_server(context=context, smtps=True) as server:
        url = f"smtps://localhost:{server.port}"
        with pytest.raises(ssl.SSLError):
            await by_mail(url).send(message("email", "amina@example.org"))
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        await by_mail(url).send(message("email", "amina@example.org"))
    assert len(server.mails) == 1


async def test_a_server_without_starttls_gets_no_mail() -> None:
    with mail_server() as server:
        with pytest.raises(NotSent, match="SMTPNotSupportedError"):
            await by_mail(f"smtp://127.0.0.1:{server.port}").send(message("email", "amina@example.org"))
        assert server.mails == []


@pytest.mark.parametrize(
    ("says", "heard"),
    [("550 5.1.1 <{}> is unknown", "550"), ("451 come again, {}", "451"), ("421 not for {}, and goodbye", "421")],
)
async def test_what_is_said_of_a_refused_mail_names_nobody(says: str, heard: str) -> None:
    with mail_server() as server:
        server.refuses = says
        with pytest.raises(NotSent, match=heard) as refused:
            await by_mail(f"smtp+plain://127.0.0.1:{server.port}").send(message("email", "amina@example.org"))
        assert "amina" not in str(refused.value)


async def test_a_server_that_is_away_is_a_failure_to_be_tried_again() -> None:
    with pytest.raises(OSError, match=r"refused|Connect"):
        await by_mail(f"smtp+plain://127.0.0.1:{free_port()}").send(message("email", "amina@example.org"))


async def test_a_mail_that_is_given_up_makes_room_and_does_not_go_out_after_all() -> None:
    with mail_server() as server:
        senders = Senders.of(
            {
                "KHIZANA_SMTP_URL": f"smtp+plain://127.0.0.1:{server.port}",
                "KHIZANA_MAIL_FROM": "no-reply@id.example.ma",
            },
            at_once_max=1,
        )
        server.holds = "EHLO"
        first = asyncio.create_task(senders.send(message("email", "amina@example.org")))
        await asyncio.to_thread(server.held.acquire)
        server.holds = None
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        async with asyncio.timeout(TIMEOUT_S / 2):
            await senders.send(message("email", "brahim@example.org"))
        server.let_go()
        await senders.send(message("email", "chadia@example.org"))
    assert [one.rcpt_tos for one in server.mails] == [["brahim@example.org"], ["chadia@example.org"]]


async def test_a_mail_under_tls_that_is_given_up_makes_room_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certificate_for_localhost(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with mail_server(context=context, smtps=True) as server:
        senders = Senders.of(
            {"KHIZANA_SMTP_URL": f"smtps://localhost:{server.port}", "KHIZANA_MAIL_FROM": "no-reply@id.example.ma"},
            at_once_max=1,
        )
        server.holds = "EHLO"
        first = asyncio.create_task(senders.send(message("email", "amina@example.org")))
        await asyncio.to_thread(server.held.acquire)
        server.holds = None
        first.cancel()
        async with asyncio.timeout(TIMEOUT_S / 2):
            await senders.send(message("email", "brahim@example.org"))
        server.let_go()
    assert [one.rcpt_tos for one in server.mails] == [["brahim@example.org"]]


async def test_a_mail_is_sent_when_it_was_taken_whether_or_not_the_server_says_goodbye() -> None:
    with mail_server() as server:
        server.holds = "QUIT"
        async with asyncio.timeout(TIMEOUT_S / 2):
            await by_mail(f"smtp+plain://127.0.0.1:{server.port}").send(message("email", "amina@example.org"))
    assert len(server.mails) == 1


async def test_text_messages_go_to_the_gateway_with_its_token() -> None:
    with gateway() as server:
        senders = Senders.of({"KHIZANA_SMS_URL": server.url, "KHIZANA_SMS_TOKEN": "t0ken"}, at_once_max=2)
        assert senders.channels == ["sms"]
        sent = message("sms", "+212612345678")
        await senders.send(sent)
        body = {"id": str(sent.message_id), "to": "+212612345678", "text": "123456 هو رمزك"}
        assert server.asked == [("/sms", "Bearer t0ken", body)]
        for status in (500, 503, 302, 401):
            server.status = status
            with pytest.raises(NotSent, match=str(status)):
                await senders.send(sent)


def test_an_answer_ends_before_its_send_and_a_send_before_its_lease() -> None:
    assert TIMEOUT_S + GOODBYE_MAX_S < SEND_MAX_S <= LEASE_S / 2


@pytest.mark.parametrize(
    "environ",
    [
        {"KHIZANA_SMTP_URL": "http://mail", "KHIZANA_MAIL_FROM": "x@y.ma"},
        {"KHIZANA_SMTP_URL": "smtp://mail:25"},
        {"KHIZANA_SMS_URL": "ftp://sms", "KHIZANA_SMS_TOKEN": "t"},
        {"KHIZANA_SMS_URL": "https://sms"},
    ],
)
def test_a_sender_that_cannot_be_is_refused_at_the_start(environ: dict[str, str]) -> None:
    with pytest.raises(SettingRefused):
        Senders.of(environ, at_once_max=2)
