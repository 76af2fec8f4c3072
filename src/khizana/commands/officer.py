"""``officer add ID --jwk key.json --ability clients``: who may act over HTTP; ``officer sign`` makes one request's
signature, to be sent by any program."""

import argparse
from pathlib import Path
from typing import Any, get_args

from idp.officers import add, store
from idp.officers.authenticate import sign
from idp.officers.schema import Ability
from khizana.databases import with_idp
from khizana.deployment import officer
from khizana.input import read_json
from khizana.say import answer
from kit.audit import Audit
from kit.jose import ASYMMETRIC, SigningKey

PAGE = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    adding = verbs.add_parser("add", help="an officer with a public key")
    adding.add_argument("officer_id")
    adding.add_argument("--jwk", required=True, help="file with the public key as JWK, or - for standard input")
    adding.add_argument("--ability", action="append", required=True, choices=get_args(Ability))
    disabling = verbs.add_parser("disable", help="from now on no signature of this officer's is good")
    disabling.add_argument("officer_id")
    verbs.add_parser("list")
    making = verbs.add_parser("make-key", help="a private key in a new file; prints the public key")
    making.add_argument("file", type=Path)
    making.add_argument("--alg", choices=ASYMMETRIC, default="ES256")
    signing = verbs.add_parser("sign", help="the Authorization header of one request, good once within half a minute")
    signing.add_argument("method", choices=("GET", "POST"))
    signing.add_argument("path", help="below the issuer: /admin/clients")
    signing.add_argument("--issuer", required=True)
    signing.add_argument("--officer", required=True)
    signing.add_argument("--key", required=True, type=Path)
    signing.add_argument("--alg", choices=ASYMMETRIC, default="ES256")
    signing.add_argument("--body", type=Path, help="the file that is sent")


def run(arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case "add":
            jwk = read_json(arguments.jwk, dict[str, Any])
            with_idp(
                lambda _, db: add.add(
                    db,
                    Audit("idp"),
                    arguments.officer_id,
                    public_jwk=jwk,
                    abilities=sorted(set(arguments.ability)),
                    by=officer(),
                )
            )
            answer({"officer_id": arguments.officer_id, "abilities": sorted(set(arguments.ability))})
        case "disable":
            with_idp(lambda _, db: add.disable(db, Audit("idp"), arguments.officer_id, by=officer()))
            answer({"officer_id": arguments.officer_id, "state": "disabled"})
        case "list":
            rows = with_idp(lambda _, db: store.select_officers(db, limit=PAGE))
            answer({"officers": [dict(row) for row in rows]})
        case "make-key":
            answer(SigningKey.load_or_create(arguments.file, arguments.alg).public_jwk)
        case "sign":
            header = sign(
                SigningKey.load(arguments.key, arguments.alg),
                officer_id=arguments.officer,
                issuer=arguments.issuer,
                method=arguments.method,
                path=arguments.path,
                body=arguments.body.read_bytes() if arguments.body else b"",
            )
            answer({"authorization": header})
    return 0
