"""What a person sees while something takes its time."""

import sys

import pytest

from khizana.say import Progress


def bars(written: str) -> list[str]:
    return [one for one in written.replace("\n", "").split("\r") if one]


def test_a_bar_of_many_steps_is_drawn_a_thousand_times_and_ends_where_it_stands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each drawing is a hundred bytes to a terminal that may be far away."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = Progress("reading", 100_000)
    for _ in range(99_999):
        progress.step()
    progress.finish()
    written = capsys.readouterr().err
    drawn = bars(written)
    assert len(drawn) <= 1_001
    assert drawn[-1].endswith(" 99999/100000")
    assert written.endswith("\n")


def test_a_bar_of_few_steps_shows_each(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = Progress("reading", 3)
    for _ in range(3):
        progress.step()
    progress.finish()
    assert [one.rpartition(" ")[2] for one in bars(capsys.readouterr().err)] == ["1/3", "2/3", "3/3"]


def test_where_nobody_looks_each_tenth_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("reading", 100_000)
    for _ in range(100_000):
        progress.step()
    progress.finish()
    assert capsys.readouterr().err.splitlines() == [f"reading {done}/100000" for done in range(10_000, 100_001, 10_000)]
