"""Have one PDF sealed over HTTP, as an administration's own program would."""

import argparse
import asyncio
import os
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from khizana.cli import CommandRefused
from khizana.commands.deposit import TIMEOUT_S, json_of, token_for
from khizana.holder import Holder
from khizana.home import Home
from khizana.say import answer
from kit.ids import new_public_id
from kit.jose import ASYMMETRIC, Algorithm, SigningKey
from locker.seals.schema import LEVELS


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pdf", metavar="FILE", help="the document to seal")
    parser.add_argument("--into", help="where the sealed document goes (default: beside it, as FILE.sealed.pdf)")
    parser.add_argument("--level", choices=LEVELS, default="B-T")
    parser.add_argument("--whole", action="store_true", help="no fall-back to B-B while no time stamp is to be had")
    parser.add_argument("--co-signature", action="store_true", help="others will sign after this seal")
    parser.add_argument("--reason")
    parser.add_argument("--location")
    parser.add_argument(
        "--stamp", metavar="PAGE,LEFT,BOTTOM,RIGHT,TOP", help="a visible stamp, in points from the lower left corner"
    )
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--key", required=True, help="the client's private key, PEM")
    parser.add_argument("--alg", choices=ASYMMETRIC, default="ES256")
    parser.add_argument("--locker", help="its base URL (default: the embedded product)")
    parser.add_argument("--issuer", help="of the provider (default: the embedded product)")
    parser.add_argument("--idempotency-key", help="give the same one to repeat a request whose answer was lost")


def run(arguments: argparse.Namespace) -> int:
    answer(asyncio.run(_seal(arguments)))
    return 0


async def _seal(arguments: argparse.Namespace) -> Any:
    home = Home.of(os.environ)
    issuer, locker = arguments.issuer or home.issuer, arguments.locker or home.url
    try:
        pdf = Path(arguments.pdf).read_bytes()
        key = SigningKey.load(Path(arguments.key), cast("Algorithm", arguments.alg))
    except (OSError, ValueError) as fault:
        raise CommandRefused("unreadable", str(fault)) from None
    into = Path(arguments.into or f"{arguments.pdf.removesuffix('.pdf')}.sealed.pdf")
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
        try:
            token = await token_for(http, issuer, scope="documents:seal", client_id=arguments.client_id, key=key)
            holder = Holder(key, token)
            response = await http.post(
                f"{locker}/v1/seals",
                auth=holder,
                headers={"Idempotency-Key": arguments.idempotency_key or new_public_id()},
                files={
                    "seal": ("seal.json", msgspec.json.encode(_request(arguments)), "application/json"),
                    "document": ("document.pdf", pdf, "application/pdf"),
                },
            )
            sealed = json_of(response, expected=201)
            document = await http.get(sealed["document"], auth=holder)
        except httpx.TransportError as fault:
            raise CommandRefused("unreachable", f"{type(fault).__name__} at {locker}") from None
    if document.status_code != 200:
        json_of(document, expected=200)
    into.write_bytes(document.content)
    return {**sealed, "file": str(into)}


def _request(arguments: argparse.Namespace) -> dict[str, Any]:
    request: dict[str, Any] = {
        "level": arguments.level,
        "fall_back": not arguments.whole,
        "co_signature": arguments.co_signature,
    }
    for member in ("reason", "location"):
        if value := getattr(arguments, member):
            request[member] = value
    if arguments.stamp:
        try:
            page, *box = (int(edge) for edge in arguments.stamp.split(","))
        except ValueError:
            raise CommandRefused("invalid", "--stamp: five whole numbers") from None
        request["stamp"] = {"page": page, "box": box}
    return request
