import pytest

from idp.settings import IdpSettings
from kit.settings import SettingRefused, decode
from tests.conftest import Dsns
from tests.people import PASSWORD, active, post
from tests.provider import Provider, running_provider

in_one_loop = pytest.mark.asyncio(loop_scope="module")

ENVIRONMENT = {
    "KHIZANA_MODE": "production",
    "KHIZANA_ISSUER": "https://id.test/idp",
    "KHIZANA_IDP_DATABASE_URL": "postgresql://",
    "KHIZANA_IDP_SECRET": "0123456789abcdef" * 4,
    "KHIZANA_IDP_KEYS_FOLDER": "/nowhere",
}


@in_one_loop
async def test_a_success_is_given_back_and_a_failure_is_not(idp: Provider) -> None:
    person = await active(idp)
    await idp.owner("DELETE FROM idp.throttle")
    async with idp.browser() as browser:
        for password in (PASSWORD, "not this one", "nor this one", PASSWORD):
            await post(browser, "/idp/sign-in", username=person.uid, password=password)
    rows = await idp.owner("SELECT split_part(bucket, ':', 1) AS name, attempts FROM idp.throttle")
    counts = {row["name"]: row["attempts"] for row in rows}
    assert counts["sign-in-address"] == 2
    assert counts["sign-in-failures"] == 2
    assert "sign-in-account-address" not in counts
    assert "sign-in-account" not in counts


@in_one_loop
async def test_the_throttle_keeps_neither_identifiers_nor_passwords(idp: Provider) -> None:
    person = await active(idp)
    async with idp.browser() as browser:
        await post(browser, "/idp/sign-in", username=person.uid, password="not this one")
    rows = await idp.owner("SELECT bucket FROM idp.throttle")
    assert not any(person.uid in row["bucket"] or "not this one" in row["bucket"] for row in rows)


@in_one_loop
async def test_a_named_test_citizen_is_not_counted(dsns: Dsns, idp: Provider) -> None:
    person = await active(idp)
    await idp.owner("DELETE FROM idp.throttle")
    async with (
        running_provider(dsns.idp, dsns.owner, unthrottled_uids=(person.uid,)) as lenient,
        lenient.browser() as browser,
    ):
        for _ in range(12):
            answer = await post(browser, "/idp/sign-in", username=person.uid, password="not this one")
            assert answer.status_code == 422
    assert await idp.owner("SELECT 1 FROM idp.throttle") == []


@pytest.mark.parametrize(
    ("name", "value"), [("KHIZANA_IDP_UNTHROTTLED_UIDS", "2364578913"), ("KHIZANA_IDP_DEMO_OUTBOX", "true")]
)
def test_production_refuses_what_is_for_demos_and_tests(name: str, value: str) -> None:
    with pytest.raises(SettingRefused, match=name):
        decode({**ENVIRONMENT, name: value}, IdpSettings)


@in_one_loop
async def test_the_outbox_page_does_not_exist_without_its_setting(dsns: Dsns) -> None:
    async with running_provider(dsns.idp, dsns.owner) as strict:
        assert (await strict.http.get("/idp/outbox")).status_code == 404
