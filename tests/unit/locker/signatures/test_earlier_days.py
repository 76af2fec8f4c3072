"""Was it valid on that day? Random lives of a certificate, and the day that somebody asks about."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locker.signatures.seal import seal
from tests.unit.locker.signatures.signature_pki import NOW, Holder, crl, issue, judged, name, pki, plain_pdf

DAY = timedelta(days=1)
_days = st.integers(min_value=1, max_value=99)


def _sealed(holder: Holder, day: int, *, time_stamped: bool) -> bytes:
    at = NOW - (100 - day) * DAY
    return seal(
        plain_pdf(),
        sealer=holder.sealer(),
        timestamper=pki().tsa.time_stamper(at) if time_stamped else None,
        at=at,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=_days, later=st.integers(0, 99), revoked=st.none() | _days, expires=_days, time_stamped=st.booleans())
def test_the_verdict_of_a_day_is_that_of_the_certificate_on_that_day(
    made: int, later: int, revoked: int | None, expires: int, *, time_stamped: bool
) -> None:
    """Day 0 is a hundred days ago, day 100 is today. The certificate is valid from day 0 until the end of ``expires``,
    the list of today says when it was revoked."""
    first = NOW - 100 * DAY
    asked = min(99, made + later)
    holder = issue(name("Life"), by=pki().issuing, not_before=first, not_after=first + (expires + 0.4) * DAY)
    if made > expires:
        made = expires
    pdf = _sealed(holder, made, time_stamped=time_stamped)
    entries = [] if revoked is None else [(holder, first + (revoked - 0.3) * DAY)]
    # A list that still names expired certificates would be silent; this one was issued while it could speak.
    issued = min(100.0, expires + 0.2)
    crls = (
        crl(pki().root, at=first + issued * DAY, lifetime=400 * DAY),
        crl(pki().issuing, revoked=[e for e in entries if e[1] <= first + issued * DAY], at=first + issued * DAY),
    )
    verdict = judged(pdf, at=first + asked * DAY, known_until=NOW, crls=crls)
    # What counts is the earliest day that is proven: that of the time stamp, else the day that is asked about.
    counts = made if time_stamped else asked
    valid = counts <= expires and (revoked is None or revoked > expires or counts < revoked)
    assert verdict.passed == valid, verdict
    if not valid:
        assert verdict.sub_indication == ("OUT_OF_BOUNDS_NO_POE" if counts > expires else "REVOKED_NO_POE")


def test_what_is_known_since_does_not_speak_unless_it_may() -> None:
    pdf = _sealed(pki().seal, 50, time_stamped=False)
    asked = NOW - 40 * DAY
    assert judged(pdf, at=asked).sub_indication == "TRY_LATER"
    assert judged(pdf, at=asked, known_until=NOW).passed
