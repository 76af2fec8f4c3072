import base64

import pytest

from idp.clients.authenticate import credentials_of
from idp.refusals import InvalidClient


@pytest.mark.parametrize(
    "value", ["", "?", "ÿ:", "é", "AAA", base64.b64encode(b"\xff:x").decode(), base64.b64encode(b"no colon").decode()]
)
def test_a_basic_header_that_cannot_be_read_is_invalid_client_rfc6749_5_2(value: str) -> None:
    with pytest.raises(InvalidClient) as refused:
        credentials_of({"authorization": f"Basic {value}"}, {})
    assert refused.value.headers["WWW-Authenticate"].startswith("Basic")
