"""RFC 4226 appendix D and RFC 6238 appendix B (SHA-1)."""

import pytest

from idp.authenticators.totp import code_at, matching_step, provisioning_uri, step_at

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("count", "code"),
    list(
        enumerate(["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"])
    ),
)
def test_hotp_rfc4226_appendix_d(count: int, code: str) -> None:
    assert code_at(SECRET, count) == code


@pytest.mark.parametrize(
    ("now_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_totp_rfc6238_appendix_b(now_s: int, code: str) -> None:
    assert code_at(SECRET, step_at(now_s), digits=8) == code


@pytest.mark.parametrize(("steps", "passes"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_of_drift_is_accepted_rfc6238_5_2(steps: int, passes: bool) -> None:
    now_s = 1_234_567_890.0
    code = code_at(SECRET, step_at(now_s) + steps)
    assert (matching_step(SECRET, code, now_s=now_s) is not None) == passes


def test_the_provisioning_uri_is_what_apps_read() -> None:
    uri = provisioning_uri(SECRET, account="2364578913", issuer="Khizana")
    assert uri == (
        "otpauth://totp/Khizana%3A2364578913?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=Khizana&algorithm=SHA1&digits=6&period=30"
    )
