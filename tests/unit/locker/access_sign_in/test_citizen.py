import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.i18n import Locale
from locker.access.cursor import CursorRefused, Cursors, Position
from locker.access.schema import Citizen
from locker.access.sessions import s256_challenge, safe_return_to

CURSORS = Cursors(b"k" * 32)
POSITION = Position(dt.datetime(2026, 11, 24, 12, 30, 0, 123456, tzinfo=dt.UTC), "0" * 25)


def citizen(**names: str) -> Citizen:
    return Citizen(
        owner="o",
        session_sha256=b"",
        names={name.replace("__", "#"): value for name, value in names.items()},
        acr="substantial",
        id_token="",
    )


def test_a_name_is_said_in_the_script_of_the_page() -> None:
    amina = citizen(given_name__ar="أمينة", family_name__ar="العلوي", given_name__fr="Amina", family_name__fr="Alaoui")
    assert amina.name(Locale.AR) == "أمينة العلوي"
    assert amina.name(Locale.FR) == amina.name(Locale.EN) == "Amina Alaoui"
    assert amina.name(Locale.ZGH) == "أمينة العلوي"
    assert citizen(name="Amina").name(Locale.AR) == "Amina"
    assert citizen().name(Locale.FR) == ""


def test_a_region_in_the_tag_is_understood() -> None:
    assert citizen(**{"name#ar-MA": "أمينة"}).name(Locale.AR) == "أمينة"


@pytest.mark.parametrize("path", ["/wallet", "/wallet/shares/ABC", "/wallet?after=x_-1", "/"])
def test_our_own_pages_are_returned_to(path: str) -> None:
    assert safe_return_to(path) == path


@given(st.text(max_size=80))
def test_nothing_else_is_returned_to(path: str) -> None:
    target = safe_return_to(path)
    assert target.startswith("/")
    assert not target.startswith(("//", "/\\"))
    assert target == path or target == "/wallet"


def test_the_challenge_of_rfc7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert s256_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@given(st.datetimes(timezones=st.just(dt.UTC)), st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", max_size=40))
def test_a_cursor_reads_back_for_its_owner_and_list(at: dt.datetime, row_id: str) -> None:
    cursor = CURSORS.write(Position(at, row_id), owner="a", of="documents")
    assert CURSORS.read(cursor, owner="a", of="documents") == Position(at, row_id)


@given(st.text(max_size=200))
def test_what_we_did_not_write_is_refused_v_11(text: str) -> None:
    with pytest.raises(CursorRefused):
        CURSORS.read(text, owner="a", of="documents")


def test_a_cursor_is_bound_to_owner_list_and_key() -> None:
    cursor = CURSORS.write(POSITION, owner="a", of="documents")
    for cursors, owner, of in (
        (CURSORS, "b", "documents"),
        (CURSORS, "a", "history"),
        (Cursors(b"x"), "a", "documents"),
    ):
        with pytest.raises(CursorRefused):
            cursors.read(cursor, owner=owner, of=of)
    with pytest.raises(CursorRefused):
        CURSORS.read(cursor + "=", owner="a", of="documents")
