"""Is a value in DER? asn1crypto reads BER too, and validators that encode again then disagree (X.690 §10, §11)."""

_DEPTH_MAX = 32
_CONSTRUCTED = 0x20
_SET = 0x31
_INTEGER = 0x02


def is_der(data: bytes) -> bool:
    """Definite, shortest lengths and integers all through, and the members of each SET in ascending order.

    Looks at structure only, so a SET whose members have different types is held to the order of SET OF; CMS has no
    other SET in signed attributes.
    """
    try:
        return _end_of_value(data, 0, 0) == len(data)
    except (ValueError, IndexError):
        return False


def _end_of_value(data: bytes, start: int, depth: int) -> int:
    if depth > _DEPTH_MAX:
        raise ValueError("too deep")
    tag = data[start]
    position = start + 1
    if tag & 0x1F == 0x1F:
        while data[position] & 0x80:
            position += 1
        position += 1
    length = data[position]
    position += 1
    if length == 0x80:
        raise ValueError("indefinite length")
    if length > 0x80:
        count = length & 0x7F
        octets = data[position : position + count]
        if len(octets) != count or octets[0] == 0 or (count == 1 and octets[0] < 0x80):
            raise ValueError("length is not the shortest")
        length = int.from_bytes(octets)
        position += count
    end = position + length
    if end > len(data):
        raise ValueError("cut off")
    if tag == _INTEGER and not _is_shortest_integer(data[position:end]):
        raise ValueError("integer is not the shortest")
    if tag & _CONSTRUCTED:
        previous = b""
        while position < end:
            following = _end_of_value(data, position, depth + 1)
            member = data[position:following]
            if tag == _SET and member < previous:
                raise ValueError("SET OF is not sorted")
            previous = member
            position = following
        if position != end:
            raise ValueError("members overrun")
    return end


def _is_shortest_integer(octets: bytes) -> bool:
    """Not empty, and its first nine bits not all alike (X.690 §8.3.2)."""
    if len(octets) < 2:
        return len(octets) == 1
    return not ((octets[0] == 0x00 and octets[1] < 0x80) or (octets[0] == 0xFF and octets[1] >= 0x80))
