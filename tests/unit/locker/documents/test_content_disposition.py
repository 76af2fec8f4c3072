import re

from hypothesis import given
from hypothesis import strategies as st

from locker.documents.content_disposition import attachment


@given(st.text(max_size=300))
def test_any_name_makes_one_well_formed_header_rfc6266(name: str) -> None:
    field = attachment(name, "pdf")
    assert re.fullmatch(
        r"attachment; filename=\"[A-Za-z0-9._ ()-]+\.pdf\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+\.pdf", field
    )


def test_an_arabic_name_survives_beside_its_plain_one() -> None:
    field = attachment("عقد الازدياد", "pdf")
    assert 'filename="document.pdf"' in field
    assert "%D8%B9%D9%82%D8%AF" in field


def test_a_path_and_a_hidden_extension_are_only_text() -> None:
    field = attachment("../../etc/pass\u202ewd.exe", "pdf")
    assert "/" not in field.split("UTF-8''")[1]
    assert "%E2%80%AE" not in field
