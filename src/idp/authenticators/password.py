"""Passwords: what is accepted, and Argon2id over it (RFC 9106) in a bounded pool.

Accepted is what RFC 8265 §4 (OpaqueString) makes of it: non-ASCII spaces become spaces, NFC, no controls; case is kept
and nothing is cut off. At least 8 characters, because a second factor stands beside it (NIST SP 800-63B §3.1.1).
"""

import functools
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import argon2

from idp.authenticators.refusals import PasswordRefused
from kit.offload import Offload

CHARACTERS_MIN = 8
BYTES_MAX = 4_096

# m = 19 MiB, t = 2, p = 1: about 26 ms of one core.
_HASHER = argon2.PasswordHasher(memory_cost=19_456, time_cost=2, parallelism=1)
# Of a random password that nobody knows. Checking against it makes an unknown identifier cost what a known one does.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$/zBeuBQZhvK1INDXBrcmzA$X1fmmuiC6bgZA+LAXDiQX3tenb3peaa9oQGsiMakhow"
_LIST = Path(__file__).parent / "common_passwords.txt"
_STEM_MIN = 4
_ADDED_MAX = 8
_SUBSTITUTED = str.maketrans({"@": "a", "4": "a", "3": "e", "1": "i", "!": "i", "0": "o", "$": "s", "5": "s", "7": "t"})
_KEYBOARD = (
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "azertyuiop",
    "asdfghjkl",
    "qsdfghjklm",
    "zxcvbnm",
    "wxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1a2z3e4r5t6y7u8i9o0p",
)


def prepared(password: str) -> str:
    """The form that is hashed and compared. Raises PasswordRefused for one that can never have been set."""
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
    form = unicodedata.normalize("NFC", spaced)
    if any(unicodedata.category(c) in ("Cc", "Cs", "Cn") for c in form):
        raise PasswordRefused("characters")
    if not form or len(form.encode()) > BYTES_MAX:
        raise PasswordRefused("length")
    return form


def acceptable(password: str, *, uid: str, claims: Mapping[str, Any]) -> str:
    """The prepared form of a password that may be set. Raises PasswordRefused with the reason."""
    form = prepared(password)
    if len(form) < CHARACTERS_MIN:
        raise PasswordRefused("length")
    folded = form.casefold()
    if is_common(folded):
        raise PasswordRefused("common")
    if _is_personal(folded, _words_about(uid, claims)):
        raise PasswordRefused("personal")
    return form


def is_common(folded: str) -> bool:
    """In the list, also with digits and signs added or letters swapped for look-alikes; or one pattern repeated."""
    known = _common()
    stem = folded.strip("0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ")
    candidates = {folded, folded.translate(_SUBSTITUTED)}
    if len(stem) >= _STEM_MIN and len(folded) - len(stem) <= _ADDED_MAX:
        candidates |= {stem, stem.translate(_SUBSTITUTED)}
    # "password1!": the sign at the end is an addition, the one in the middle a letter.
    swapped = folded.rstrip("0123456789!?.*#_- ").translate(_SUBSTITUTED)
    if len(swapped) >= _STEM_MIN and len(folded) - len(swapped) <= _ADDED_MAX:
        candidates.add(swapped)
    return not candidates.isdisjoint(known) or _is_pattern(folded) or _is_date(folded)


def _is_pattern(folded: str) -> bool:
    if len(set(folded)) <= 3:
        return True
    if any(len(folded) % size == 0 and folded[:size] * (len(folded) // size) == folded for size in (1, 2, 3, 4)):
        return True
    rows = [row for keyboard in _KEYBOARD for row in (keyboard, keyboard[::-1])]
    return any(folded in row for row in rows) or _is_made_of_runs(folded, rows)


def _is_made_of_runs(folded: str, rows: list[str]) -> bool:
    """``abcd1234``: nothing but runs of four or more along a keyboard or an alphabet."""
    position = 0
    while position < len(folded):
        length = max(
            (
                n
                for n in range(4, len(folded) - position + 1)
                if any(folded[position : position + n] in r for r in rows)
            ),
            default=0,
        )
        if length == 0:
            return False
        position += length
    return True


def _is_date(folded: str) -> bool:
    digits = folded.replace("/", "").replace("-", "").replace(".", "").replace(" ", "")
    if len(digits) != 8 or not digits.isdigit():
        return False
    return any(
        1900 <= int(year) <= 2099 and 1 <= int(month) <= 12 and 1 <= int(day) <= 31
        for year, month, day in (
            (digits[4:], digits[2:4], digits[:2]),
            (digits[4:], digits[:2], digits[2:4]),
            (digits[:4], digits[4:6], digits[6:]),
        )
    )


def _words_about(uid: str, claims: Mapping[str, Any]) -> set[str]:
    words = {uid, "khizana", "خزانة"}
    for name, value in claims.items():
        base = name.partition("#")[0]
        if base in ("given_name", "family_name", "middle_name", "nickname") and isinstance(value, str):
            words.update(value.casefold().split())
        elif base == "email" and isinstance(value, str):
            words.add(value.casefold().partition("@")[0])
        elif base == "phone_number" and isinstance(value, str):
            words.update({value, value[-9:]})
        elif base == "birthdate" and isinstance(value, str):
            words.update({value, value.replace("-", ""), "".join(reversed(value.split("-")))})
    return {unicodedata.normalize("NFC", word) for word in words if len(word) >= 3}


def _is_personal(folded: str, words: Iterable[str]) -> bool:
    """What is left without the words that anybody who knows the person would try must still be a password."""
    rest = folded
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest != folded and len(rest) < CHARACTERS_MIN


@functools.cache
def _common() -> frozenset[str]:
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


async def hashed(passwords: Offload, prepared_password: str) -> str:
    """The PHC string to keep. About 26 ms in the pool; Unavailable when too many wait."""
    return await passwords.run(_HASHER.hash, prepared_password)


async def matches(passwords: Offload, kept: str | None, password: str) -> bool:
    """Takes as long for nobody's password (``kept`` is None) as for somebody's."""
    try:
        form = prepared(password)
    except PasswordRefused:
        kept, form = None, "-"
    return await passwords.run(_verify, kept or _NOBODY, form) and kept is not None


def _verify(kept: str, form: str) -> bool:
    try:
        return _HASHER.verify(kept, form)
    except argon2.exceptions.VerifyMismatchError:
        return False


def is_outdated(kept: str) -> bool:
    """Made with other parameters than today's: to be hashed again at the next right password."""
    return _HASHER.check_needs_rehash(kept)
