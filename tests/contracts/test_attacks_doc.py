import re

from tests.attack_table import TABLE, carried_out


def test_the_table_of_attacks_tells_of_every_row_and_of_no_test_that_is_gone() -> None:
    """If this fails: python -m tests.attack_table."""
    by_row = carried_out()
    told = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if re.match(r"\| [A-Z]-\d\d \|", line)]
    assert {line.split(" | ")[0].removeprefix("| ") for line in told} == by_row.keys()
    assert set(told) <= {line for lines in by_row.values() for line in lines}
