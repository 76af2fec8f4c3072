"""What readers read alike, and what some of them forgive."""

import time

import pytest

from locker.signatures.plain_syntax import is_plain


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"<< /Type /Page /Contents 4 0 R /MediaBox [0 0 595. .5] >>\nendobj",
        b"<</A<</B[<</C/D>>]>>/E(a\\)b(c)\\\\)/F<0a 0B>/G null/H true>>endobj\n(open",
        b"<< /Length 3 >> stream\n>b>",
        b"%a comment >b\n<< % another (\r/A -1 >> endobj",
        b"<< /Size 3 /Root 1 0 R >>\nstartxref\n12",
        b"(a)(b) << /A () >> [ ]",
        b"0\nendobj",
    ],
)
def test_what_is_plainly_written(plain: bytes) -> None:
    assert is_plain(plain, 0)


@pytest.mark.parametrize(
    "bent",
    [
        b"<< /A << /B 1 >b /C 2 >> endobj",
        b"<< /A [1 2 >> endobj",
        b"<< /A 1 ]",
        b"<< /A (open endobj",
        b"<< /A <0g> >>",
        b"<< /A { } >>",
        b"<< /A 1) >>",
        b"<< /A 1 endobj",
        b"<< /A yes >>",
        b"<< /A 1-2 >>",
        b">> endobj",
        b"[" * 10_000,
    ],
)
def test_what_some_readers_forgive(bent: bytes) -> None:
    assert not is_plain(bent, 0)


def test_a_large_object_costs_no_more_than_its_length() -> None:
    def cost(megabytes: int) -> float:
        data = b"<< /A (" + b"(\\))" * (megabytes * 250_000) + b") /B <" + b"0" * 1_000_000 + b"> >> endobj"
        began = time.process_time()
        assert is_plain(data, 0)
        return time.process_time() - began

    assert cost(4) < 12 * cost(1)
