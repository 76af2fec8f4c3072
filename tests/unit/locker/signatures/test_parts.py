"""The small parts of a verdict."""

from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import x509
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfStreamError

from locker.signatures import fast_hex
from locker.signatures.byte_range import signed_bytes
from locker.signatures.der import is_der
from locker.signatures.names import clean, shown
from locker.signatures.policies import VERIFY
from locker.signatures.pre_gate import pre_gate

PDF = b"%PDF-1.7 /ByteRange [0 35 43 50] /Contents <ABCDEF> and the rest of the file"
START = PDF.index(b"<")
END = PDF.index(b">") + 1


def test_a_byte_range_is_the_file_around_its_contents() -> None:
    found = signed_bytes(PDF, [0, START, END, len(PDF) - END], b"\xab\xcd\xef")
    assert found is not None
    assert (found.first_end, found.second_start, found.end) == (START, END, len(PDF))


@pytest.mark.parametrize(
    "byte_range",
    [
        [],
        [0, START],
        [0, START, END],
        [0, START, END, len(PDF) - END, 0, 0],
        [1, START - 1, END, len(PDF) - END],
        [0, START, END, len(PDF) - END + 1],
        [0, START, END, 0],
        [0, START, END, -1],
        [0, -START, END, len(PDF) - END],
        [0, START + 1, END, len(PDF) - END],
        [0, START, END - 1, len(PDF) - END],
        [0, END, START, len(PDF) - START],
        [0, 0, 0, 0],
        [0, START, START, len(PDF) - START],
        [0, START, 2**63, 1],
        [0, float(START), END, len(PDF) - END],
        [False, START, END, len(PDF) - END],
    ],
)
def test_any_other_byte_range_is_refused(byte_range: list[int]) -> None:
    assert signed_bytes(PDF, byte_range, b"\xab\xcd\xef") is None


def test_a_gap_that_is_not_the_parsed_contents_is_refused() -> None:
    right = [0, START, END, len(PDF) - END]
    assert signed_bytes(PDF, right, b"\xab\xcd\xee") is None
    assert signed_bytes(PDF, right, b"") is None
    # A hex string with this value elsewhere, under another key.
    moved = PDF.replace(b"/Contents <", b"/Somethin <")
    assert signed_bytes(moved, right, b"\xab\xcd\xef") is None


@pytest.mark.parametrize(
    ("data", "right"),
    [
        (b"\x30\x03\x02\x01\x05", True),
        (b"\x30\x80\x02\x01\x05\x00\x00", False),  # indefinite length
        (b"\x30\x81\x03\x02\x01\x05", False),  # length not the shortest
        (b"\x02\x02\x00\x05", False),  # integer not the shortest
        (b"\x02\x02\x00\x85", True),
        (b"\x02\x00", False),
        (b"\x31\x06\x02\x01\x05\x02\x01\x06", True),
        (b"\x31\x06\x02\x01\x06\x02\x01\x05", False),  # SET OF not sorted
        (b"\x30\x03\x02\x01", False),
        (b"\x30\x03\x02\x01\x05\x00", False),
        (b"", False),
        (b"\x30\x02" * 40 + b"\x05\x00", False),
    ],
)
def test_der_is_told_from_ber(data: bytes, right: bool) -> None:
    assert is_der(data) is right


@given(st.binary(max_size=200))
def test_any_bytes_are_or_are_not_der(data: bytes) -> None:
    assert is_der(data) in (True, False)


@given(st.binary(max_size=100), st.lists(st.sampled_from([b" ", b"\n", b"\r\n", b"\t"]), max_size=5))
def test_the_fast_hex_string_reads_what_the_slow_one_reads(value: bytes, spaces: list[bytes]) -> None:
    digits = value.hex().encode()
    for index, space in enumerate(spaces):
        at = (index * 7) % (len(digits) + 1)
        digits = digits[:at] + space + digits[at:]
    data = b"<" + digits + b"> /Next"
    slow, fast = BytesIO(data), BytesIO(data)
    expected = generic.read_hex_string_from_stream(slow)
    assert fast_hex.read_hex_string_from_stream(fast).original_bytes == expected.original_bytes
    assert slow.tell() == fast.tell()


@pytest.mark.parametrize("data", [b"<abc", b"<zz>", b"<", b"<12(3>"])
def test_a_broken_hex_string_is_refused(data: bytes) -> None:
    with pytest.raises(PdfStreamError):
        fast_hex.read_hex_string_from_stream(BytesIO(data))


def test_a_long_hex_string_across_chunks_is_read_whole() -> None:
    value = bytes(range(256)) * 400
    stream = BytesIO(b"<" + value.hex().encode() + b">rest")
    assert fast_hex.read_hex_string_from_stream(stream).original_bytes == value
    assert stream.read() == b"rest"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("Ministère\u202egpj.exe", "Ministèregpj.exe"),
        ("وزارة\u200cالداخلية", "وزارة\u200cالداخلية"),
        ("a\u0000b\u0007c", "abc"),
        ("line\nbreak\ttab", "line break tab"),
        ("\u2066isolate\u2069\u200e\u200f\u061c", "isolate"),
        ("zero\u200bwidth\ufeff\u2060", "zerowidth"),
        ("private\ue000", "private"),
        ("x" * 500, "x" * 199 + "…"),
    ],
)
def test_names_are_shown_without_what_hides_or_reorders(given_: str, expected: str) -> None:
    assert clean(given_) == expected


def test_a_party_is_called_by_its_common_name() -> None:
    party = shown(
        x509.Name.build({"country_name": "MA", "organization_name": "Ministère", "common_name": "Cachet \u202e1"})
    )
    assert (party.display, party.organisation, party.country) == ("Cachet 1", "Ministère", "MA")


@pytest.mark.parametrize(
    ("pdf", "reason"),
    [
        (b"", "not-a-pdf"),
        (b"%", "not-a-pdf"),
        (b"\n" * 1000 + b"%PDF-1.7\n%%EOF", "not-a-pdf"),
        (b"%PDF-1.7\n", "no-end-of-file"),
        (b"%PDF-1.7\n%%EOF" + b" " * 3000, "no-end-of-file"),
        (b"%PDF-1.7\n" + b"startxref\n" * 161 + b"%%EOF", "too-many-revisions"),
        (b"%PDF-1.7\n" + b"/ByteRange\n" * 65 + b"%%EOF", "too-many-signatures"),
        (b"%PDF-1.7\n/Size 2000000000\n%%EOF", "too-many-objects"),
        (b"%PDF-1.7\n/Size 61 /Index [25 2 42 1 56 2147483648]\n%%EOF", "too-many-objects"),
        (b"%PDF-1.7\n/Params << /Size 2000000000 >>\n%%EOF", None),
        (b"%PDF-1.7\n/Size 20\n%%EOF\n", None),
    ],
)
def test_the_gate_before_the_parser(pdf: bytes, reason: str | None) -> None:
    assert pre_gate(pdf, VERIFY) == reason


def test_a_file_larger_than_the_policy_is_refused() -> None:
    assert pre_gate(b"%PDF-1.7" + b"x" * VERIFY.size_max_bytes, VERIFY) == "too-large"


def test_pyhanko_is_imported_in_one_folder() -> None:
    source = Path(__file__).parents[4] / "src"
    elsewhere = [
        path
        for path in source.rglob("*.py")
        if "locker/signatures" not in path.as_posix()
        and "import pyhanko" in path.read_text().replace("from ", "import ")
    ]
    assert elsewhere == []
