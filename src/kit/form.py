"""Forms as browsers send them."""

import re
from typing import Any

from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.enums import RequestEncodingType

from kit.errors import Malformed

# A part may name its encoding, and the framework takes its word: a megabyte of Punycode holds the event loop for half a
# minute. No browser names one.
_FOREIGN_CHARSET = re.compile(rb"charset\s*+=\s*+[\"']?+(?!utf-?8\b)", re.IGNORECASE)


async def form_of(request: Request[Any, Any, Any]) -> FormMultiDict:
    """The fields; none of what is no form. Raises Malformed for what is not UTF-8."""
    if request.content_type[0] == RequestEncodingType.MULTI_PART and _FOREIGN_CHARSET.search(await request.body()):
        raise Malformed
    try:
        return await request.form()
    except (UnicodeDecodeError, LookupError):
        raise Malformed from None
