"""CBOR (RFC 8949) of numbers, octets, texts, lists and maps alone, walked through without being built.

A tag is an order to whoever decodes. Two of them (28, 29) let one value stand in many places: a few hundred bytes that
are decoded at once become gigabytes when what was read is written again, be it to compare it or to know its length.
"""

LEVELS_MAX = 24
_OCTETS, _TEXT, _LIST, _MAP, _TAG, _SIMPLE = range(2, 8)
_FALSE_TRUE_NULL = (20, 21, 22)
_SMALLEST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}


class NotPlain(ValueError):
    pass


def end_of(data: bytes, at: int = 0, *, levels: int = LEVELS_MAX) -> int:
    """Where the item that begins at ``at`` ends, in one pass. It has as many bytes when it is written again.

    Raises NotPlain: it is cut off, or deeper than ``levels``, or has a tag, a float, an open length or a number that is
    longer than it must be.
    """
    if levels == 0 or at >= len(data):
        raise NotPlain
    kind, short = data[at] >> 5, data[at] & 31
    begin = at + 1
    at = begin + (1 << short - 24 if short in _SMALLEST else 0)
    number = int.from_bytes(data[begin:at]) if short in _SMALLEST else short
    if short > 27 or at > len(data) or number < _SMALLEST.get(short, 0):
        raise NotPlain
    if kind == _TAG or (kind == _SIMPLE and short not in _FALSE_TRUE_NULL):
        raise NotPlain
    if kind in (_OCTETS, _TEXT):
        at += number
    elif kind in (_LIST, _MAP):
        # However many it announces: each takes a byte at least, and there are no more than that.
        for _ in range(2 * number if kind == _MAP else number):
            at = end_of(data, at, levels=levels - 1)
    if at > len(data):
        raise NotPlain
    return at
