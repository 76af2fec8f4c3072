import pytest

from idp.sessions.browser import browser_label
from idp.sessions.cookies import SESSION_COOKIE
from idp.sessions.current import current
from idp.sessions.end import end
from idp.sessions.levels import acr_of, at_least
from idp.sessions.start import start, step_up
from kit.tokens import digest
from tests.provider import Provider

in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("amr", "proofing", "acr"),
    [
        (["pwd"], "desk", "low"),
        (["pwd", "otp", "mfa"], "desk", "substantial"),
        (["pwd", "sms", "mfa"], "remote", "substantial"),
        (["pwd", "otp", "mfa"], "none", "low"),
    ],
)
def test_level_is_that_of_the_weaker_of_authenticators_and_proofing(amr: list[str], proofing: str, acr: str) -> None:
    assert acr_of(amr, proofing=proofing) == acr


def test_levels_are_ordered() -> None:
    assert at_least("high", "substantial")
    assert at_least("low", "low")
    assert not at_least("low", "substantial")


@pytest.mark.parametrize(
    ("header", "label"),
    [
        ("Mozilla/5.0 (Android 14; Mobile; rv:130.0) Gecko/130.0 Firefox/130.0", "Firefox, Android"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("<script>", ""),
    ],
)
def test_a_session_is_named_by_what_a_person_recognises(header: str, label: str) -> None:
    assert browser_label(header) == label


@in_one_loop
async def test_a_new_authentication_changes_the_cookie_and_keeps_the_sid(idp: Provider) -> None:
    citizen_id, db, audit = await idp.citizen(), idp.wiring.db, idp.wiring.audit
    first = await start(db, audit, citizen_id=citizen_id, acr="low", amr=["pwd"], browser_label="", lifetime_s=60)
    stepped = await step_up(
        db,
        audit,
        before_sha256=digest(first.token),
        citizen_id=citizen_id,
        acr="substantial",
        amr=["pwd", "otp", "mfa"],
        idle_s=900,
    )
    assert stepped is not None
    again = await start(
        db,
        audit,
        citizen_id=citizen_id,
        acr="low",
        amr=["pwd"],
        browser_label="",
        lifetime_s=60,
        before_sha256=digest(stepped.token),
    )
    assert first.sid == stepped.sid == again.sid
    assert await current(db, first.token) is None
    assert await current(db, stepped.token) is None
    found = await current(db, again.token)
    assert found is not None
    # A weaker authentication is not lifted by an earlier, stronger one.
    assert found.acr == "low"


@in_one_loop
async def test_another_citizen_in_the_same_browser_gets_another_session(idp: Provider) -> None:
    one, two, db, audit = await idp.citizen(), await idp.citizen(), idp.wiring.db, idp.wiring.audit
    first = await start(db, audit, citizen_id=one, acr="low", amr=["pwd"], browser_label="", lifetime_s=60)
    second = await start(
        db,
        audit,
        citizen_id=two,
        acr="low",
        amr=["pwd"],
        browser_label="",
        lifetime_s=60,
        before_sha256=digest(first.token),
    )
    assert second.sid != first.sid
    assert await current(db, first.token) is None


@in_one_loop
async def test_most_requests_of_a_session_write_nothing(idp: Provider) -> None:
    citizen_id = await idp.citizen()
    async with await idp.signed_in(citizen_id) as browser:
        token = browser.cookies[SESSION_COOKIE]
        marks = []
        for back_s in (0, 30, 90):
            await idp.owner(
                "UPDATE idp.session SET seen_at = seen_at - make_interval(secs => $2) WHERE session_sha256 = $1",
                digest(token),
                float(back_s),
            )
            before = await idp.owner("SELECT seen_at FROM idp.session WHERE session_sha256 = $1", digest(token))
            await current(idp.wiring.db, token)
            after = await idp.owner("SELECT seen_at FROM idp.session WHERE session_sha256 = $1", digest(token))
            marks.append(after[0][0] > before[0][0])
    assert marks == [False, False, True]


@in_one_loop
async def test_an_end_is_told_once(idp: Provider) -> None:
    citizen_id = await idp.citizen()
    async with await idp.signed_in(citizen_id) as browser:
        token = browser.cookies[SESSION_COOKIE]
    ended = await end(idp.wiring.db, idp.wiring.audit, digest(token))
    assert ended is not None
    assert ended.citizen_id == citizen_id
    assert await end(idp.wiring.db, idp.wiring.audit, digest(token)) is None
