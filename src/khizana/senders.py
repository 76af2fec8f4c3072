"""How messages leave in production: mail by SMTP, short messages by an HTTP gateway. In the demo they stay in the
outbox and are shown there."""

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.message import EmailMessage
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from idp.messages.schema import Channel, NotSent, Outgoing, Sender
from khizana.deployment import secret_of
from kit.offload import Offload
from kit.settings import SettingRefused

TIMEOUT_S = 10.0
"""For one answer of a server. How long a send may take with all its answers is said where messages are delivered."""
GOODBYE_MAX_S = 1.0


class Senders:
    """Each channel's sender; a channel without one is not taken from the outbox."""

    def __init__(self, by_channel: Mapping[Channel, Sender]) -> None:
        self._by_channel = by_channel
        self.channels: list[Channel] = list(by_channel)

    @classmethod
    def of(cls, environ: Mapping[str, str], *, at_once_max: int) -> "Senders":
        """``at_once_max`` is of each channel."""
        found: dict[Channel, Sender] = {}
        if url := environ.get("KHIZANA_SMTP_URL"):
            found["email"] = SmtpSender(url, sender=_needed(environ, "KHIZANA_MAIL_FROM"), at_once_max=at_once_max)
        if url := environ.get("KHIZANA_SMS_URL"):
            token = secret_of(environ, "KHIZANA_SMS_TOKEN")
            found["sms"] = HttpSmsSender(url, token=token, at_once_max=at_once_max)
        return cls(found)

    async def send(self, message: Outgoing) -> None:
        await self._by_channel[message.channel].send(message)


def _needed(environ: Mapping[str, str], name: str) -> str:
    if value := environ.get(name):
        return value
    raise SettingRefused(name, "this setting is needed and not set")


class SmtpSender:
    """``smtp://user:password@host:587`` with STARTTLS, ``smtps://…``, or ``smtp+plain://`` for a catcher of tests."""

    def __init__(self, url: str, *, sender: str, at_once_max: int) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps", "smtp+plain") or not parts.hostname:
            raise SettingRefused("KHIZANA_SMTP_URL", "smtp://host:port, smtps:// or smtp+plain://")
        self._parts = parts
        self._sender = sender
        self._tls = ssl.create_default_context()
        # One that was given up while it looked a name up keeps its thread until it has heard; who comes then waits.
        self._threads = Offload("smtp", threads=at_once_max, waiting_max=at_once_max)

    async def send(self, message: Outgoing) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, message.letter.address
        mail["Subject"] = message.letter.subject
        # The same at a second try, so that a receiving server may drop the copy.
        mail["Message-ID"] = f"<{message.message_id}@{self._sender.rpartition('@')[2]}>"
        mail.set_content(message.letter.text)
        # After the content, which wipes what was said about it before.
        mail["Content-Language"] = message.letter.locale
        call = _SmtpCall(self._parts, self._tls)
        try:
            await self._threads.run(call.deliver, mail)
        except asyncio.CancelledError:
            call.give_up()
            raise
        except smtplib.SMTPRecipientsRefused as refused:
            codes = sorted({code for code, _ in refused.recipients.values()})
            raise NotSent(f"the mail server refused the recipient: {', '.join(map(str, codes))}") from refused
        except smtplib.SMTPResponseException as refused:
            raise NotSent(f"the mail server answered {refused.smtp_code}: {type(refused).__name__}") from refused
        except smtplib.SMTPException as fault:
            raise NotSent(f"the mail server: {type(fault).__name__}") from fault


class _Seen(smtplib.SMTP):
    """Seen before it connects: it waits for the server's greeting where it is made."""

    def __init__(self, see: Callable[[smtplib.SMTP], None], host: str, port: int, **more: Any) -> None:
        see(self)
        super().__init__(host, port, **more)


class _SeenTls(_Seen, smtplib.SMTP_SSL):
    """With TLS from the first byte."""


class _SmtpCall:
    """One mail over one connection. Whoever gives it up may be sure that it does not go out after all."""

    def __init__(self, parts: SplitResult, tls: ssl.SSLContext) -> None:
        self._parts = parts
        self._tls = tls
        self._server: smtplib.SMTP | None = None
        self._given_up = False

    def give_up(self) -> None:
        """From another thread: its next look at the connection finds the end of it."""
        self._given_up = True
        sock = self._server.sock if self._server else None
        if sock is not None:
            with suppress(OSError):
                # That of a TLS socket would also take its layer away, and what is sent meanwhile would go out in plain.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def deliver(self, mail: EmailMessage) -> None:
        self._go_on()
        server = self._connected()
        try:
            if self._parts.scheme == "smtp":
                self._go_on()
                server.starttls(context=self._tls)
            if self._parts.username:
                self._go_on()
                server.login(unquote(self._parts.username), unquote(self._parts.password or ""))
            self._go_on()
            server.send_message(mail)
            self._say_goodbye(server)
        finally:
            server.close()

    def _connected(self) -> smtplib.SMTP:
        host = self._parts.hostname or ""
        if self._parts.scheme == "smtps":
            return _SeenTls(self._see, host, self._parts.port or 465, timeout=TIMEOUT_S, context=self._tls)
        return _Seen(self._see, host, self._parts.port or 587, timeout=TIMEOUT_S)

    def _see(self, server: smtplib.SMTP) -> None:
        self._server = server

    def _go_on(self) -> None:
        """A connection that was not there yet could not be ended."""
        if self._given_up:
            raise TimeoutError

    def _say_goodbye(self, server: smtplib.SMTP) -> None:
        """The mail was taken, whatever the server says to that."""
        with suppress(OSError, smtplib.SMTPException):
            if server.sock is not None:
                server.sock.settimeout(GOODBYE_MAX_S)
            server.quit()


class HttpSmsSender:
    """POST ``{"id", "to", "text"}`` with a bearer token: the least that a gateway, or an adapter before it, takes."""

    def __init__(self, url: str, *, token: str, at_once_max: int) -> None:
        if urlsplit(url).scheme not in ("https", "http"):
            raise SettingRefused("KHIZANA_SMS_URL", "an https address")
        self._url = url
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=at_once_max, max_keepalive_connections=at_once_max),
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        )

    async def send(self, message: Outgoing) -> None:
        body = {"id": str(message.message_id), "to": message.letter.address, "text": message.letter.text}
        try:
            answer = await self._http.post(self._url, json=body)
        except httpx.HTTPError as fault:
            raise NotSent(f"the gateway: {type(fault).__name__}") from fault
        if not answer.is_success:
            raise NotSent(f"the gateway answered {answer.status_code}")
