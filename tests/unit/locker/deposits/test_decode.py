"""What a depositor says, read by everybody in the same way, or by nobody."""

import json
from typing import Any

import pytest

from locker.deposits.decode import decode
from locker.deposits.refusals import DepositInvalid
from locker.deposits.schema import DepositRequest

RIGHT = '{"type": "BIRTH", "subject": {"uid": "2000000001"}, "fields": {"n": 1}}'


def read(text: str) -> DepositRequest:
    return decode(text.encode("utf-8", "surrogatepass"), DepositRequest)


@pytest.mark.parametrize(
    "value", ["9007199254740991", "-9007199254740991", "1e308", '"\\ud83d\\ude00"', "true", '"\\\\u0000"', "[[1.5]]"]
)
def test_what_everybody_reads_in_the_same_way_is_taken(value: str) -> None:
    assert read(RIGHT.replace("1}", value + "}")).fields == {"n": json.loads(value)}


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "-Infinity",
        "1e999",
        "-1e999",
        "9007199254740992",
        "1" * 5_000,
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\u0000"',
        '{"\\u0000": 1}',
        '{"\\ud800": 1}',
        '[[{"a": [1e999]}]]',
        "\ud800",
        '1, "n": 2',
    ],
)
def test_what_some_read_otherwise_is_refused_rfc7493(value: str) -> None:
    """1e999 would have been sealed as null, and a lone surrogate as nothing at all."""
    with pytest.raises(DepositInvalid):
        read(RIGHT.replace("1}", value + "}"))


@pytest.mark.parametrize("text", ["\ufeff" + RIGHT, RIGHT + RIGHT, "[]", "null", '"x"', ""])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(DepositInvalid):
        read(text)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("subject", {"uid": "2000000001\n"}),
        ("subject", {"sub": "someone\n"}),
        ("reference", "2026/1\n"),
    ],
)
def test_a_line_break_at_the_end_makes_no_second_name(member: str, value: Any) -> None:
    with pytest.raises(DepositInvalid):
        read(json.dumps({**json.loads(RIGHT), member: value}))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"canary": 1}, "Object contains unknown field"),
        ({"canary` - at `$.canary": 1}, "Object contains unknown field"),
        ({"subject": {"canary": 1}}, "Object contains unknown field - at `$.subject`"),
        ({"replaces": "x", "correction": "canary"}, "Invalid enum value - at `$.correction`"),
        ({"subject": {"uid": "canary"}}, None),
        ({"valid_from": "canary"}, None),
    ],
)
def test_a_refusal_repeats_nothing_that_was_sent(members: dict[str, Any], said: str | None) -> None:
    with pytest.raises(DepositInvalid) as refused:
        read(json.dumps({**json.loads(RIGHT), **members}))
    assert "canary" not in str(refused.value)
    assert said is None or refused.value.detail == said
