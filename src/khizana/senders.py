"""How messages leave in production: mail by SMTP, short messages by an HTTP gateway. In the demo they stay in the
outbox and are shown there."""

import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import httpx

from idp.messages.schema import Channel, Outgoing, Sender
from khizana.deployment import secret_of
from kit.offload import Offload
from kit.settings import SettingRefused

TIMEOUT_S = 10.0


class Senders:
    """Each channel's sender; a channel without one is not taken from the outbox."""

    def __init__(self, by_channel: Mapping[Channel, Sender]) -> None:
        self._by_channel = by_channel
        self.channels: list[Channel] = list(by_channel)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Senders":
        found: dict[Channel, Sender] = {}
        if url := environ.get("KHIZANA_SMTP_URL"):
            found["email"] = SmtpSender(url, sender=_needed(environ, "KHIZANA_MAIL_FROM"))
        if url := environ.get("KHIZANA_SMS_URL"):
            found["sms"] = HttpSmsSender(url, token=secret_of(environ, "KHIZANA_SMS_TOKEN"))
        return cls(found)

    async def send(self, message: Outgoing) -> None:
        await self._by_channel[message.channel].send(message)


def _needed(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    raise SettingRefused(name, "this setting is needed and not set")


class SmtpSender:
    """``smtp://user:password@host:587`` with STARTTLS, ``smtps://…``, or ``smtp+plain://`` for a catcher of tests."""

    def __init__(self, url: str, *, sender: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps", "smtp+plain") or not parts.hostname:
            raise SettingRefused("KHIZANA_SMTP_URL", "smtp://host:port, smtps:// or smtp+plain://")
        self._parts = parts
        self._host = parts.hostname
        self._sender = sender
        self._threads = Offload("smtp", threads=2, waiting_max=64)

    async def send(self, message: Outgoing) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, message.letter.address
        mail["Subject"] = message.letter.subject
        # The same at a second try, so that a receiving server may drop the copy.
        mail["Message-ID"] = f"<{message.message_id}@{self._sender.rpartition('@')[2]}>"
        mail.set_content(message.letter.text)
        # After the content, which wipes what was said about it before.
        mail["Content-Language"] = message.letter.locale
        await self._threads.run(self._deliver, mail)

    def _deliver(self, mail: EmailMessage) -> None:
        tls = ssl.create_default_context()
        if self._parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._parts.port or 465, timeout=TIMEOUT_S, context=tls)
        else:
            server = smtplib.SMTP(self._host, self._parts.port or 587, timeout=TIMEOUT_S)
        with server:
            if self._parts.scheme == "smtp":
                server.starttls(context=tls)
            if self._parts.username:
                server.login(unquote(self._parts.username), unquote(self._parts.password or ""))
            server.send_message(mail)


class HttpSmsSender:
    """POST ``{"id", "to", "text"}`` with a bearer token: the least that a gateway, or an adapter before it, takes."""

    def __init__(self, url: str, *, token: str) -> None:
        if urlsplit(url).scheme not in ("https", "http"):
            raise SettingRefused("KHIZANA_SMS_URL", "an https address")
        self._url = url
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, headers={"Authorization": f"Bearer {token}"})

    async def send(self, message: Outgoing) -> None:
        body = {"id": str(message.message_id), "to": message.letter.address, "text": message.letter.text}
        (await self._http.post(self._url, json=body)).raise_for_status()
