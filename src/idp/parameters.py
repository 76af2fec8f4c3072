"""Parameters of a protocol message: each at most once (RFC 6749 §3.1), the unknown ignored, all bounded."""

from collections.abc import Mapping
from urllib.parse import unquote

from idp.refusals import InvalidRequest
from kit.direct import Asked

PARAMETERS_MAX = 100
VALUE_MAX = 16_384

Parameters = Mapping[str, str]


def parse(text: str) -> dict[str, str]:
    """Decode ``application/x-www-form-urlencoded``; InvalidRequest for a repeated parameter, except ``resource``.

    A parameter without a value is as good as absent (RFC 6749 §3.1).
    """
    try:
        pairs = _pairs(text)
    except ValueError:
        raise InvalidRequest("the parameters cannot be decoded") from None
    values: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen and name == "resource" and value and "\x00" not in value:
            # RFC 8707 §2 lets it be repeated. Two of them are no resource that we know, whoever asks: invalid_target.
            values[name] = f"{values.get(name, '')} {value}"[:VALUE_MAX]
            continue
        if name in seen:
            raise InvalidRequest("a parameter is repeated")
        seen.add(name)
        if len(value) > VALUE_MAX or "\x00" in value:
            raise InvalidRequest("a parameter is too long or malformed")
        if value:
            values[name] = value
    return values


def _pairs(text: str) -> list[tuple[str, str]]:
    """As ``urllib.parse.parse_qsl`` does it with blank values kept, which most forms need nothing of."""
    fields = text.split("&")
    if len(fields) > PARAMETERS_MAX:
        raise ValueError("too many")
    pairs = []
    for field in fields:
        if field:
            name, _, value = field.partition("=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(part: str) -> str:
    spaced = part.replace("+", " ")
    return unquote(spaced, "utf-8", "strict") if "%" in spaced else spaced


def of_query(request: Asked) -> dict[str, str]:
    return parse(request.scope["query_string"].decode("latin-1"))


async def of_form(request: Asked) -> dict[str, str]:
    """RFC 6749 §3.2: the parameters of a POST stand in its body."""
    media_type = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise InvalidRequest("the body is application/x-www-form-urlencoded")
    return parse((await request.body()).decode("latin-1"))
