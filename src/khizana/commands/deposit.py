"""Deposit one PDF, or a folder of them, over HTTP, as an administration's own program would."""

import argparse
import asyncio
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from khizana.cli import CommandRefused
from khizana.deposit_batch import Office, Outcome, deposit_batch, told
from khizana.holder import Holder
from khizana.home import Home
from khizana.input import read_json
from khizana.say import answer
from kit.ids import new_public_id
from kit.jose import ASYMMETRIC, Algorithm, SigningKey, client_assertion

TIMEOUT_S = 60.0
PART_TIMEOUT_S = 300.0
AT_ONCE_MAX = 16
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pdf", nargs="?", help="the sealed document")
    parser.add_argument("--file", help="the JSON part: type, subject, fields …; - for standard input")
    parser.add_argument("--batch", type=Path, metavar="DIR", help="many: manifest.ndjson and the PDFs that it names")
    parser.add_argument("--dry-run", action="store_true", help="with --batch: check everything and keep nothing")
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="with --batch: parts under way at once")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--key", required=True, help="the client's private key, PEM")
    parser.add_argument("--alg", choices=ASYMMETRIC, default="ES256")
    parser.add_argument("--locker", help="its base URL (default: the embedded product)")
    parser.add_argument("--issuer", help="of the provider (default: the embedded product)")
    parser.add_argument("--idempotency-key", help="give the same one to repeat a deposit whose answer was lost")


def run(arguments: argparse.Namespace) -> int:
    if arguments.batch is not None:
        if arguments.pdf is not None or arguments.file is not None or not 1 <= arguments.at_once <= AT_ONCE_MAX:
            raise CommandRefused("arguments", f"--batch takes no PDF and no --file, and --at-once 1 to {AT_ONCE_MAX}")
        outcome = asyncio.run(_deposit_batch(arguments))
        answer(outcome)
        told(outcome)
        return 0 if outcome.all_well else 1
    if arguments.pdf is None or arguments.file is None or arguments.dry_run:
        raise CommandRefused("arguments", "a PDF with --file, or --batch with a folder")
    answer(asyncio.run(_deposit(arguments)))
    return 0


async def _deposit_batch(arguments: argparse.Namespace) -> Outcome:
    import os

    home = Home.of(os.environ)
    async with httpx.AsyncClient(timeout=PART_TIMEOUT_S, trust_env=False) as http:
        office = Office(
            http,
            locker=arguments.locker or home.url,
            issuer=arguments.issuer or home.issuer,
            client_id=arguments.client_id,
            key=_key(arguments),
        )
        return await deposit_batch(office, arguments.batch, dry_run=arguments.dry_run, at_once=arguments.at_once)


def _key(arguments: argparse.Namespace) -> SigningKey:
    try:
        return SigningKey.load(Path(arguments.key), cast("Algorithm", arguments.alg))
    except (OSError, ValueError) as fault:
        raise CommandRefused("unreadable", str(fault)) from None


async def _deposit(arguments: argparse.Namespace) -> Any:
    import os

    home = Home.of(os.environ)
    issuer, locker = arguments.issuer or home.issuer, arguments.locker or home.url
    request = read_json(arguments.file, dict[str, Any])
    key = _key(arguments)
    try:
        pdf = Path(arguments.pdf).read_bytes()
    except OSError as fault:
        raise CommandRefused("unreadable", str(fault)) from None
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
        try:
            token = await token_for(http, issuer, scope="documents:deposit", client_id=arguments.client_id, key=key)
            response = await http.post(
                f"{locker}/v1/deposits",
                auth=Holder(key, token),
                headers={"Idempotency-Key": arguments.idempotency_key or new_public_id()},
                files={
                    "deposit": ("deposit.json", msgspec.json.encode(request), "application/json"),
                    "document": ("document.pdf", pdf, "application/pdf"),
                },
            )
        except httpx.TransportError as fault:
            raise CommandRefused("unreachable", f"{type(fault).__name__} at {locker}") from None
    return json_of(response, expected=201)


async def token_for(http: httpx.AsyncClient, issuer: str, *, scope: str, client_id: str, key: SigningKey) -> str:
    metadata = json_of(await http.get(f"{issuer}/.well-known/openid-configuration"), expected=200)
    assertion = client_assertion(key, client_id=client_id, audience=issuer, jti=new_public_id())
    body = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_id": client_id,
        "client_assertion_type": _ASSERTION,
        "client_assertion": assertion,
    }
    answer = await http.post(metadata["token_endpoint"], data=body, auth=Holder(key))
    return str(json_of(answer, expected=200)["access_token"])


def json_of(response: httpx.Response, *, expected: int) -> Any:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if response.status_code != expected:
        code = body.get("code") or body.get("error") or f"http-{response.status_code}"
        detail = body.get("detail") or body.get("error_description") or body.get("title") or ""
        extra = {name: body[name] for name in ("indication", "sub_indication") if name in body}
        raise CommandRefused(str(code), f"{detail} {msgspec.json.encode(extra).decode() if extra else ''}".strip())
    return body
