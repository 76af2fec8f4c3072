import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook

from locker.webhooks.sealed_keys import SealedKeys
from locker.webhooks.sign import new_key, signature, verify_with

BODY = b'{"type":"document.revoked","timestamp":"2026-11-28T18:00:00Z","data":{"document_id":"7"}}'


def test_v1_is_what_the_specifications_own_library_signs() -> None:
    key = new_key("v1")
    at = datetime.now(UTC).replace(microsecond=0)
    ours = signature("v1", key, message_id="msg_1", timestamp_s=int(at.timestamp()), body=BODY)
    assert ours == Webhook(verify_with("v1", key)).sign("msg_1", at, BODY.decode())


def test_v1_of_a_published_vector() -> None:
    """From the test suite of the reference libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(
        "v1",
        key,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_s=1_614_265_330,
        body=b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_v1a_verifies_with_the_key_that_is_given_out() -> None:
    key = new_key("v1a")
    given = verify_with("v1a", key)
    assert given.startswith("whpk_")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(given.removeprefix("whpk_")))
    scheme, _, made = signature("v1a", key, message_id="msg_1", timestamp_s=1, body=BODY).partition(",")
    public.verify(base64.b64decode(made), b"msg_1.1." + BODY)
    assert scheme == "v1a"


def test_a_key_at_rest_opens_in_its_own_row_alone() -> None:
    sealed = SealedKeys("ab" * 32)
    key = new_key("v1")
    kept = sealed.seal(key, webhook_id="W", key_id="1")
    assert key not in kept
    assert sealed.open(kept, webhook_id="W", key_id="1") == key
    for webhook_id, key_id in (("V", "1"), ("W", "2")):
        with pytest.raises(InvalidTag):
            sealed.open(kept, webhook_id=webhook_id, key_id=key_id)
    with pytest.raises(InvalidTag):
        SealedKeys("cd" * 32).open(kept, webhook_id="W", key_id="1")
