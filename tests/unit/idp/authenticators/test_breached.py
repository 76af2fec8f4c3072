"""The operator's list of breached passwords, in both forms in which it is given."""

import hashlib
import secrets
from pathlib import Path

import pytest

from idp.authenticators import breached
from idp.authenticators.breached import BreachedPasswords

KNOWN = ["Zellige vert 42 matin", "كلمة سر طويلة جدا", "correct horse battery staple"]


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


def hashes(others: int) -> list[str]:
    return sorted([*(sha1(word) for word in KNOWN), *(sha1(secrets.token_hex(8)) for _ in range(others))])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("others", [0, 1, 2, 3, 10, 2_000])
def test_every_line_of_one_large_file_is_found_and_nothing_else(tmp_path: Path, others: int, end: str) -> None:
    file, lines = tmp_path / "pwned.txt", hashes(others)
    file.write_bytes("".join(f"{one}:{number % 12_345}{end}" for number, one in enumerate(lines)).encode())
    listed = BreachedPasswords(file)
    assert all(listed.holds(word) for word in KNOWN)
    # The first and the last line too, by their hashes.

    assert all(breached._holds(file, one.encode()) for one in lines)
    assert not any(listed.holds(secrets.token_hex(8)) for _ in range(50))
    assert not any(breached._holds(file, edge) for edge in (b"0" * 40, b"F" * 40, b"", lines[0][:-1].encode()))


def test_a_folder_of_prefixes_is_read_as_well(tmp_path: Path) -> None:
    for one in hashes(300):
        with (tmp_path / f"{one[:5]}.txt").open("a") as part:
            part.write(f"{one[5:]}:3\r\n")
    listed = BreachedPasswords(tmp_path)
    assert all(listed.holds(word) for word in KNOWN)
    assert not any(listed.holds(secrets.token_hex(8)) for _ in range(50))


def test_without_a_list_nothing_is_held_and_an_empty_one_holds_nothing(tmp_path: Path) -> None:
    assert not BreachedPasswords().holds(KNOWN[0])
    (tmp_path / "empty").touch()
    assert not BreachedPasswords(tmp_path / "empty").holds(KNOWN[0])
