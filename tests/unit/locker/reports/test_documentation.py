"""docs/verification.md says what the code says."""

import re

from locker.reports.checks import CHECKS
from locker.reports.sub_indications import SUB_INDICATIONS
from locker.signatures.policies import DEPOSIT, VERIFY
from locker.verification.standalone import VerificationSettings
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")


def _rows(heading: str) -> list[tuple[str, ...]]:
    table = TEXT.split(heading, 1)[1].split("|---|", 1)[1]
    lines = table.split("\n\n", 1)[0].splitlines()[1:]
    return [tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")) for line in lines]


def test_the_table_of_sub_indications_is_the_code_s() -> None:
    expected = [
        (name, explained.means.msgid, explained.next.msgid) for name, explained in sorted(SUB_INDICATIONS.items())
    ]
    assert _rows("| sub-indication | means |") == expected


def test_the_table_of_checks_is_the_code_s() -> None:
    assert _rows("| check | clause |") == [(c.name, c.clause, c.title.msgid) for c in CHECKS.values()]


def test_policies_limits_and_settings_are_the_code_s() -> None:
    assert VERIFY.name in TEXT
    assert DEPOSIT.name in TEXT
    assert f"{VERIFY.revisions_max} updates, {VERIFY.signatures_max} signatures" in TEXT
    assert f"{VERIFY.rsa_bits_min} bits or more | {DEPOSIT.rsa_bits_min} bits or more" in TEXT
    for variable in re.findall(r"KHIZANA_VERIFICATION_[A-Z_]+", TEXT):
        assert variable in {VerificationSettings.variable(field) for field in VerificationSettings.__struct_fields__}
