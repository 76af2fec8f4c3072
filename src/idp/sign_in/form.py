"""Forms of ours: read within bounds, each field once, shown by us to this very browser."""

from urllib.parse import parse_qsl

from idp.frame import AnyRequest, headers_of
from idp.sessions.browser import browser_of
from idp.sign_in.refusals import WrongForm
from idp.wiring import Wiring

FORM_BYTES_MAX = 32_768
BODY_BYTES_MAX = 2_097_152
"""What is read, and thrown away, to answer 422 to an oversized password instead of cutting the connection."""
_FIELDS_MAX = 20


async def form_of(request: AnyRequest, wiring: Wiring) -> dict[str, str]:
    """Raises CrossSite (L-26), and WrongForm for what no page of ours sends."""
    fields = await _fields(request)
    wiring.csrf.check(browser_of(request).token, fields.get("csrf"), headers_of(request))
    return fields


async def _fields(request: AnyRequest) -> dict[str, str]:
    if request.content_type[0] != "application/x-www-form-urlencoded":
        raise WrongForm("content-type")
    kept, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= FORM_BYTES_MAX:
            kept += chunk
    if size > FORM_BYTES_MAX:
        raise WrongForm("too long")
    try:
        pairs = parse_qsl(kept.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
    except ValueError:
        raise WrongForm("encoding") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise WrongForm("a field is repeated")
    # PostgreSQL has no text with NUL. A password may hold one as far as here: it gets its own answer.
    if any("\x00" in name + value for name, value in pairs if name != "password"):
        raise WrongForm("NUL")
    return fields
