"""docs/refusals.md is the code's, and a code says one thing: what it means, with which status, and what to do."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from khizana.answered import BY_COMMANDS, CAUGHT, App, answered, answered_by_commands, codes
from kit.errors import OAuthRefusal, Refusal
from locker.signatures.reasons import REASONS
from tests import refusal_table as table
from tests.conftest import ROOT

APPS: tuple[App, ...] = ("idp", "locker")
KEBAB = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
DOCS = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md")}


def said_by(app: App) -> dict[str, list[type[Refusal]]]:
    """Code → those that carry it: what the app answers and what commands say of it, OAuth's errors apart."""
    found: dict[str, list[type[Refusal]]] = defaultdict(list)
    for refusal in [*answered(app), *answered_by_commands(app)]:
        if refusal.code not in table.OAUTH:
            found[refusal.code].append(refusal)
    return found


def test_the_page_is_what_the_code_answers() -> None:
    """If this fails: python -m tests.refusal_table, and say what a program should do where it asks."""
    page = table.PAGE.read_text(encoding="utf-8")
    assert [name for _, name, _, _ in table.MARKED.findall(page)] == list(table.tables())
    assert page == table.document(page)


@pytest.mark.parametrize("app", APPS)
def test_a_code_has_one_status_and_one_meaning(app: App) -> None:
    assert len(said_by(app)) > 40
    for code, several in said_by(app).items():
        assert len({one.status for one in several}) == 1, code
        if code not in table.SAID_SEVERALLY:
            assert len({one.title for one in several}) == 1, code


def test_what_is_said_in_several_ways_still_is() -> None:
    several = {
        code for app in APPS for code, found in said_by(app).items() if len({refusal.title for refusal in found}) > 1
    }
    assert several == table.SAID_SEVERALLY.keys()


@pytest.mark.parametrize("app", APPS)
def test_a_code_is_spelt_as_all_are(app: App) -> None:
    assert [code for code in said_by(app) if not KEBAB.fullmatch(code)] == []
    assert [code for code in REASONS if not KEBAB.fullmatch(code)] == []
    # OAuth's are spelt by their standards, and are only OAuth's.
    ours = {code for refusal in answered(app) if issubclass(refusal, OAuthRefusal) for code in codes(refusal)}
    assert ours <= table.OAUTH.keys()


def test_each_code_is_named_in_a_test() -> None:
    """Or nobody knows that it comes to anybody, and with what. ``"CODE"``, or within a string where it is no word."""
    here = [Path(__file__), Path(table.__file__)]
    named: set[str] = set()
    for file in (ROOT / "tests").rglob("*.py"):
        if file not in here:
            for quoted in re.findall(r'"([^"\n]*)"', file.read_text(encoding="utf-8")):
                named.add(quoted)
                named |= {word for word in re.findall(r"[a-z0-9_-]+", quoted) if not word.isalpha()}
    told = {code for app in APPS for one in [*answered(app), *answered_by_commands(app)] for code in codes(one)}
    told |= {row.code for row in table.anywhere()} | table.to_redirect_uri() | REASONS.keys()
    assert len(told) > 250
    assert sorted(told - named) == []


def test_one_sentence_asks_for_one_thing() -> None:
    """Who reads only the sentence must not do the wrong thing."""
    acts: dict[str, dict[str, str]] = defaultdict(dict)
    for app in APPS:
        apart = [*table.of_app(app), *answered_by_commands(app)]
        for row in [*table.rows(one for one in apart if one.code not in table.OAUTH), *table.anywhere()]:
            for title in row.says.split(" / "):
                acts[title][row.code] = row.act
    assert {title: by_code for title, by_code in acts.items() if len(set(by_code.values())) > 1} == {}


def test_nothing_that_is_told_of_is_gone() -> None:
    told = {refusal.code for app in APPS for refusal in [*answered(app), *answered_by_commands(app)]}
    known = told | {row.code for row in table.anywhere()}
    assert table.OF_CODE.keys() - known == set()
    assert {code.partition(".")[2] for code in table.PLACES_OF_CODE} - told == set()
    assert table.OAUTH.keys() <= told | table.to_redirect_uri() | {"use_dpop_nonce"}
    assert told >= BY_COMMANDS
    kinds = [Refusal]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {kind.code for kind in kinds} >= CAUGHT


def test_each_code_is_said_in_words() -> None:
    for name, rows in table.tables().items():
        for line in rows.splitlines()[2:]:
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert all(cells), f"{name}: {line}"


def test_codes_in_other_pages_have_the_status_that_they_have() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    statuses: dict[str, set[str]] = defaultdict(set)
    for code, said in re.findall(r"^\| `([a-z0-9_-]+)` \| ([^|]+) \|", page, re.M):
        statuses[code] |= set(re.findall(r"\d{3}", said))
    looked_at = 0
    for name, text in DOCS.items():
        for several, said in re.findall(r"^\| ((?:`[a-z_-]+`(?:, )?)+) \| (\d{3}[^|]*) \|", text, re.M):
            for code in re.findall(r"[a-z_-]+", several):
                looked_at += 1
                assert set(re.findall(r"\d{3}", said)) <= statuses[code], f"{name}: {code}"
    assert looked_at > 20


def test_the_provider_s_page_names_what_is_sent_to_a_redirect_uri() -> None:
    (told,) = re.findall(r"^To the redirect URI, with `state` and `iss`: (.+?)\. ", DOCS["provider.md"], re.M | re.S)
    # Proven only where a request is pushed.
    assert set(re.findall(r"`([a-z_]+)`", told)) == table.to_redirect_uri() - {"invalid_dpop_proof"}
