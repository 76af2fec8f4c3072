import asyncio

import pytest

from idp.authenticators.password import BYTES_MAX, acceptable, hashed, matches, prepared
from idp.authenticators.refusals import PasswordRefused
from kit.errors import Unavailable
from kit.offload import Offload

CLAIMS = {
    "given_name#fr": "Fatima-Zahra",
    "family_name#fr": "El Idrissi",
    "given_name#ar": "فاطمة",
    "birthdate": "1987-11-02",
    "email": "fz.elidrissi@example.org",
}


def accepted(password: str) -> str:
    return acceptable(password, uid="2364578913", claims=CLAIMS)


@pytest.mark.parametrize(
    "password",
    ["Le thé du soir à Ifrane", "Zellige#Vert!42", "كأس شاي بالنعناع", "48151623", "correct horse battery", "x7$kQ9!z"],
)
def test_good_passwords_are_accepted_as_they_are(password: str) -> None:
    assert accepted(password)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "length"),
        ("", "length"),
        ("long enough\x00", "characters"),
        ("long enough\n", "characters"),
        ("a" * (BYTES_MAX + 1), "length"),
        ("Password1!", "common"),
        ("p4$$w0rd", "common"),
        ("Casablanca2026", "common"),
        ("azertyuiop", "common"),
        ("abcd1234", "common"),
        ("aaaaaaaaaaaa", "common"),
        ("14/03/1990", "common"),
        ("rajarajaraja", "common"),
        ("2364578913", "personal"),
        ("fatima-zahra87", "personal"),
        ("Idrissi1987", "personal"),
        ("khizana!!", "common"),
    ],
)
def test_weak_passwords_are_refused_with_a_reason(password: str, reason: str) -> None:
    with pytest.raises(PasswordRefused) as refusal:
        accepted(password)
    assert refusal.value.detail == reason


def test_composed_and_decomposed_forms_are_one_password_rfc8265_4() -> None:
    assert prepared("caf\u00e9 du matin") == prepared("cafe\u0301 du matin")


def test_nothing_is_cut_off() -> None:
    assert prepared("a" * BYTES_MAX) == "a" * BYTES_MAX


async def test_only_the_whole_password_matches() -> None:
    pool = Offload("test", threads=1, waiting_max=10)
    kept = await hashed(pool, prepared("é" * 100))
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await matches(pool, kept, "é" * 100)
    assert not await matches(pool, kept, "é" * 72)
    assert not await matches(pool, None, "é" * 100)
    assert not await matches(pool, kept, "é" * 100 + "\x00")
    pool.close()


async def test_a_full_queue_answers_unavailable_instead_of_growing() -> None:
    pool = Offload("test", threads=1, waiting_max=2)
    answers = await asyncio.gather(*(matches(pool, None, "whatever it is") for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 5
    pool.close()
