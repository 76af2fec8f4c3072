from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from idp.parameters import parse
from idp.refusals import InvalidRequest

PART = st.text("ab=+% é\x00%2B%41%ff&;", max_size=12)


@given(st.lists(PART, max_size=8))
def test_a_form_is_decoded_as_the_standard_library_does(parts: list[str]) -> None:
    text = "&".join(parts)
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100, encoding="utf-8", errors="strict")
    except ValueError:
        pairs = []
    try:
        found = parse(text)
    except InvalidRequest:
        return
    assert found == {name: value for name, value in pairs if value}
