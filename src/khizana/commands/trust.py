"""Whom a signature may lead to, which trust lists say so, and what is known of revocation."""

import argparse
from pathlib import Path

import msgspec

from khizana.databases import with_locker
from khizana.deployment import Deployment, officer
from khizana.input import pem_blocks, read_json
from khizana.rounds import sync_trust_lists
from khizana.say import answer, say
from kit.audit import Audit
from kit.db import Database
from locker.trust.add import add
from locker.trust.follow import follow, unfollow
from locker.trust.list_schema import ListShown, Synced
from locker.trust.schema import TrustAddition
from locker.trust.show_lists import show_services
from locker.trust.withdraw import show, withdraw

_KINDS = {
    "anchor": "anchors",
    "time-stamp-anchor": "time_stamp_anchors",
    "responder": "responders",
    "intermediate": "intermediates",
    "crl": "crls",
    "ocsp": "ocsps",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    adding = verbs.add_parser("add", help="believe more; what is there already stays")
    adding.add_argument("--file", help="JSON with all of it, or - for standard input")
    for option in _KINDS:
        adding.add_argument(f"--{option}", action="append", default=[], metavar="FILE", help="PEM or DER")
    withdrawing = verbs.add_parser("withdraw", help="stop believing an anchor")
    withdrawing.add_argument("sha256", help="of its DER form, hexadecimal")
    showing = verbs.add_parser("show", help="anchors, what is known of revocation, and the state of every list")
    showing.add_argument("--service", metavar="NAME", help="instead: services of the lists whose name has this in it")
    following = verbs.add_parser("follow", help="follow a trust list (ETSI TS 119 612) from now on")
    following.add_argument("source", help="https address, or a file")
    following.add_argument(
        "--signer", action="append", required=True, metavar="FILE", help="a certificate that may sign the list"
    )
    following.add_argument(
        "--territory", action="append", default=[], help="of a list of lists: follow this country's list; else all"
    )
    unfollowing = verbs.add_parser("unfollow", help="stop believing a list and those that it points at")
    unfollowing.add_argument("source")
    verbs.add_parser("sync", help="read every followed list again now; 1 where one could not be read or has expired")


def run(arguments: argparse.Namespace) -> int:
    audit = Audit("locker")
    match arguments.verb:
        case "add":
            addition = read_json(arguments.file, TrustAddition) if arguments.file else TrustAddition()
            lists = {
                member: [
                    *getattr(addition, member),
                    *pem_blocks(getattr(arguments, option.replace("-", "_"))),
                ]
                for option, member in _KINDS.items()
            }
            complete = TrustAddition(**lists)
            answer(with_locker(lambda _, db: add(db, audit, complete, officer=officer())))
        case "withdraw":
            answer(with_locker(lambda _, db: withdraw(db, audit, arguments.sha256, officer=officer())))
        case "show" if arguments.service:
            answer(with_locker(lambda _, db: show_services(db, arguments.service)))
        case "show":
            answer(with_locker(lambda _, db: show(db)))
        case "follow":
            answer(with_locker(lambda found, db: _follow(found, db, arguments)))
        case "unfollow":
            source = _source(arguments.source)
            answer(with_locker(lambda _, db: unfollow(db, audit, source, officer=officer())))
        case "sync":
            return _sync()
    return 0


async def _follow(found: Deployment, db: Database, arguments: argparse.Namespace) -> list[ListShown]:
    return await follow(
        db,
        Audit("locker"),
        _source(arguments.source),
        signers=list(pem_blocks(arguments.signer)),
        territories=arguments.territory,
        loopback_allowed=found.locker_settings().outbound_loopback,
        officer=officer(),
    )


def _source(text: str) -> str:
    return text if "://" in text else str(Path(text).absolute())


def _sync() -> int:
    def told(synced: Synced) -> None:
        about = synced.failure or (f"edition {synced.sequence}" if synced.sequence else "")
        say(f"{synced.outcome:9} {synced.source} {about}".rstrip())

    async def act(found: Deployment, db: Database) -> list[ListShown]:
        settings = msgspec.structs.replace(found.locker_settings(), trust_lists_every_s=0)
        await sync_trust_lists(db, settings, told=told)
        return (await show(db)).lists

    lists = with_locker(act)
    for one in lists:
        if one.state == "expired":
            say(f"expired   {one.source} since {one.next_update:%Y-%m-%d}: it is still used")
        elif one.state == "closed":
            say(f"closed    {one.source}: its operator says that no other edition will follow")
    answer(lists)
    # Whoever runs this from a timer must hear of a list that is not what it should be.
    return 1 if any(one.failure or one.state in ("expired", "never-read") for one in lists) else 0
