"""JSON bodies that the framework decodes, for ``JSONBody``."""

from typing import Any

import msgspec
from litestar import Request

from kit import strict_json
from kit.errors import Malformed, MemberTwiceRefused


class StrictRequest(Request[Any, Any, Any]):
    async def json(self) -> Any:
        try:
            return strict_json.decode(await self.body() or b"null")
        except strict_json.MemberTwice:
            raise MemberTwiceRefused from None
        except msgspec.DecodeError:
            raise Malformed from None
