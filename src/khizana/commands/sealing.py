"""Keys with which the locker seals for an administration, and for which ones it does."""

import argparse
import asyncio
from typing import Any

from khizana.databases import with_locker
from khizana.deployment import Deployment, deployment, officer
from khizana.input import pem_blocks
from khizana.say import answer
from kit.audit import Audit
from kit.db import Database
from locker.seals.enable import disable, enable, show
from locker.seals.open_desk import seal_keys
from locker.signatures.certificate_request import request_info, request_pem


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("key", help="make a P-256 key in its place, and a certificate request")
    making.add_argument("--organisation", required=True, help="its legal name, for the certificate")
    making.add_argument("--organisation-identifier", help="as ETSI EN 319 412-1 §5.1.4 writes it: NTRMA-…")
    making.add_argument("--common-name")
    making.add_argument("--country", default="MA")
    enabling = verbs.add_parser("enable", help="seal with that key from now on, under this certificate")
    enabling.add_argument(
        "--certificate", required=True, metavar="PEM", help="registered for the administration before"
    )
    enabling.add_argument(
        "--chain", action="append", default=[], metavar="PEM", help="its authorities, without the root"
    )
    disabling = verbs.add_parser("disable", help="no more seals from the next request on; the key stays in its place")
    showing = verbs.add_parser("show")
    for verb in (making, enabling, disabling, showing):
        verb.add_argument("administration")


def run(arguments: argparse.Namespace) -> int:
    audit, administration = Audit("locker"), arguments.administration
    match arguments.verb:
        case "key":
            with deployment() as found:
                answer(asyncio.run(_make(found, arguments)))
        case "enable":
            answer(with_locker(lambda found, db: _enable(found, db, audit, arguments)))
        case "disable":
            with_locker(lambda _, db: disable(db, audit, administration=administration, officer=officer()))
            answer({"administration": administration, "enabled": False})
        case "show":
            answer(with_locker(lambda _, db: show(db, administration=administration)))
    return 0


async def _make(found: Deployment, arguments: argparse.Namespace) -> dict[str, Any]:
    keys = seal_keys(found.locker_settings())
    subject = {
        "country_name": arguments.country,
        "organization_name": arguments.organisation,
        "organization_identifier": arguments.organisation_identifier,
        "common_name": arguments.common_name or f"Seal of {arguments.administration}",
    }
    try:
        key = await keys.make(arguments.administration)
        info = request_info(key.public, {name: value for name, value in subject.items() if value})
        request = request_pem(info, key.public, await keys.sign_with(key, info))
        return {"administration": arguments.administration, "certificate_request": request}
    finally:
        keys.close()


async def _enable(found: Deployment, db: Database, audit: Audit, arguments: argparse.Namespace) -> Any:
    (certificate,) = pem_blocks([arguments.certificate])
    keys = seal_keys(found.locker_settings())
    try:
        return await enable(
            db,
            audit,
            keys,
            administration=arguments.administration,
            certificate=certificate,
            chain=list(pem_blocks(arguments.chain)),
            officer=officer(),
        )
    finally:
        keys.close()
