"""Mutations of signed PDFs that know what a PDF is made of: updates, cross-references, byte ranges, containers."""

import random
import re
from collections.abc import Callable

_OBJECT = re.compile(rb"(?:^|[\r\n ])(\d{1,7}) 0 obj\b(.{0,60000}?)endobj", re.DOTALL)
_REFERENCE = re.compile(rb"\b(\d{1,7}) 0 R\b")
_NUMBER = re.compile(rb"\b\d{1,7}\b")
_NAME = re.compile(rb"/[A-Za-z][A-Za-z0-9.]{1,20}")
_START = re.compile(rb"startxref\s+(\d+)")
_ROOT = re.compile(rb"/Root\s+(\d+)\s+0\s+R")
_SIZE = re.compile(rb"/Size\s+(\d+)")
_HEX = re.compile(rb"<([0-9a-fA-F]{200,})>")

Mutation = Callable[[bytes, random.Random], bytes]


def flip_bytes(pdf: bytes, chance: random.Random) -> bytes:
    changed = bytearray(pdf)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def flip_near_the_signature(pdf: bytes, chance: random.Random) -> bytes:
    places = [m.start() for m in re.finditer(rb"/ByteRange|/Contents|/SubFilter|/Type\s*/Sig|/DocTimeStamp|/V ", pdf)]
    if not places:
        return flip_bytes(pdf, chance)
    changed = bytearray(pdf)
    at = min(len(pdf) - 1, max(0, chance.choice(places) + chance.randint(-40, 120)))
    changed[at] = chance.randrange(256)
    return bytes(changed)


def change_a_number(pdf: bytes, chance: random.Random) -> bytes:
    """In a byte range, a cross-reference, a trailer."""
    windows = [m.start() for m in re.finditer(rb"/ByteRange|startxref|\nxref|/Prev|/Size|/W |/Index|/Length|/P ", pdf)]
    if not windows:
        return flip_bytes(pdf, chance)
    begin = chance.choice(windows)
    found = list(_NUMBER.finditer(pdf, begin, begin + 200))
    if not found:
        return flip_bytes(pdf, chance)
    number = chance.choice(found)
    value = int(number[0])
    other = chance.choice([0, 1, value + 1, value - 1, value * 2, len(pdf), -1, 2**31, value + chance.randint(-64, 64)])
    return pdf[: number.start()] + b"%d" % other + pdf[number.end() :]


def cut_or_repeat(pdf: bytes, chance: random.Random) -> bytes:
    begin = chance.randrange(len(pdf))
    part = pdf[begin : begin + chance.choice([1, 3, 17, 200, 4000])]
    if chance.random() < 0.5:
        return pdf[:begin] + pdf[begin + len(part) :]
    at = chance.randrange(len(pdf))
    return pdf[:at] + part + pdf[at:]


def append_bytes(pdf: bytes, chance: random.Random) -> bytes:
    tails = [
        b"\n",
        b" ",
        b"\x00",
        b"%%EOF",
        b"\n%%EOF\n",
        b"junk",
        b"1 0 obj\n<<>>\nendobj\n",
        b"startxref\n0\n%%EOF\n",
    ]
    return pdf + b"".join(chance.choice(tails) for _ in range(chance.randint(1, 3)))


def swap_names(pdf: bytes, chance: random.Random) -> bytes:
    found = list(_NAME.finditer(pdf))
    if len(found) < 2:
        return flip_bytes(pdf, chance)
    one, other = sorted(chance.sample(found, 2), key=lambda m: m.start())
    return pdf[: one.start()] + other[0] + pdf[one.end() : other.start()] + one[0] + pdf[other.end() :]


def change_the_container(pdf: bytes, chance: random.Random) -> bytes:
    """A digit of the CMS, or its case, or its padding."""
    found = list(_HEX.finditer(pdf))
    if not found:
        return flip_bytes(pdf, chance)
    container = chance.choice(found)
    at = chance.randrange(container.start(1), container.end(1))
    return pdf[:at] + chance.choice([b"0", b"1", b"a", b"F", b" ", b">", b"<", b""]) + pdf[at + 1 :]


def update(pdf: bytes, objects: dict[int, bytes], *, freed: tuple[int, ...] = ()) -> bytes:
    """An incremental update that writes ``objects`` and frees numbers; as the last section's trailer allows."""
    starts, roots = _START.findall(pdf), _ROOT.findall(pdf)
    if not starts or not roots:
        return pdf
    size = max([*map(int, _SIZE.findall(pdf)), *(number + 1 for number in objects)])
    made = bytearray(pdf + b"\n")
    table = bytearray(b"xref\n")
    for number in sorted({*objects, *freed}):
        if number in objects:
            table += b"%d 1\n%010d 00000 n \n" % (number, len(made))
            made += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
        else:
            table += b"%d 1\n0000000000 00001 f \n" % number
    at = len(made)
    made += table
    made += b"trailer\n<< /Size %d /Root %s 0 R /Prev %s >>\n" % (size, roots[-1], starts[-1])
    made += b"startxref\n%d\n%%%%EOF\n" % at
    return bytes(made)


def overwrite_an_object(pdf: bytes, chance: random.Random) -> bytes:
    """With another's body, with its own in which a reference or a name is another, or with something small."""
    bodies = {int(number): body for number, body in _OBJECT.findall(pdf)}
    if len(bodies) < 2:
        return flip_bytes(pdf, chance)
    changed: dict[int, bytes] = {}
    for _ in range(chance.randint(1, 3)):
        target, source = chance.choice(list(bodies)), chance.choice(list(bodies))
        body = bodies[chance.choice([target, target, source])]
        kind = chance.randrange(6)
        if kind == 0:
            references = list(_REFERENCE.finditer(body))
            if references:
                one = chance.choice(references)
                body = body[: one.start()] + b"%d 0 R" % chance.choice(list(bodies)) + body[one.end() :]
        elif kind == 1:
            names = list(_NAME.finditer(body))
            if names:
                one = chance.choice(names)
                body = (
                    body[: one.start()]
                    + chance.choice([b"/V", b"/AP", b"/Kids", b"/X", b"/Annots"])
                    + body[one.end() :]
                )
        elif kind == 2:
            body = chance.choice([b"null", b"[]", b"<< >>", b"(x)", b"0", b"true"])
        elif kind == 3 and b">>" in body:
            extra = [b"/AA << >>", b"/Annots [1 0 R]", b"/Contents 1 0 R", b"/F 2", b"/Rotate 90", b"/OpenAction 1 0 R"]
            body = body.replace(b">>", chance.choice(extra) + b" >>", 1)
        changed[target] = body
    return update(pdf, changed)


def free_an_object(pdf: bytes, chance: random.Random) -> bytes:
    numbers = [int(number) for number, _ in _OBJECT.findall(pdf)]
    return update(pdf, {}, freed=tuple(chance.sample(numbers, 1))) if numbers else flip_bytes(pdf, chance)


def move_the_root(pdf: bytes, chance: random.Random) -> bytes:
    """An update whose catalog is another object, or the same with other pages."""
    bodies = {int(number): body for number, body in _OBJECT.findall(pdf)}
    roots = _ROOT.findall(pdf)
    if not roots or int(roots[-1]) not in bodies:
        return flip_bytes(pdf, chance)
    number = max(bodies) + 1
    made = update(pdf, {number: bodies[int(roots[-1])], **({number + 1: b"<< >>"} if chance.random() < 0.5 else {})})
    head, _, tail = made.rpartition(b"/Root ")
    return head + b"/Root %d " % number + tail.partition(b" ")[2]


def update_that_readers_repair(pdf: bytes, chance: random.Random) -> bytes:
    """Beside its place, with an object that no section names, with one named twice, too small, without a root, or with
    one taken back."""
    bodies = {int(number): body for number, body in _OBJECT.findall(pdf)}
    if len(bodies) < 2:
        return flip_bytes(pdf, chance)
    kept, target, source = (chance.choice(list(bodies)) for _ in range(3))
    unnamed = b"%d 0 obj\n%s\nendobj\n" % (target, bodies[source])
    made = update(pdf, {kept: bodies[kept]})
    table = made.rfind(b"xref\n", 0, made.rfind(b"startxref"))
    kind = chance.randrange(6)
    if kind == 0:
        head, _, place = made.rpartition(b"startxref\n")
        place = b"%d" % (int(place.split()[0]) + chance.choice([-7, -3, -2, -1, 1, 2, 3, 5]))
        return head + unnamed + b"startxref\n" + place + b"\n%%EOF\n"
    if kind == 1:
        return pdf + b"\n" + unnamed + update(pdf, {kept: bodies[kept]})[len(pdf) :]
    if kind == 2:
        entry = b"%d 1\n%010d 00000 n \n" % (target, chance.choice([pdf.find(b"%d 0 obj" % target) % 10**10, table]))
        return made[: table + 5] + entry * chance.randint(1, 2) + made[table + 5 :]
    if kind == 3:
        return made[:table] + re.sub(rb"/Size \d+", b"/Size %d" % chance.choice([0, 1, 3, target, kept]), made[table:])
    if kind == 4:
        changed = update(pdf, {target: bodies[source]})
        made = update(changed, {kept: bodies[kept]})
        table = made.rfind(b"xref\n", 0, made.rfind(b"startxref"))
        place = pdf.find(b"%d 0 obj" % target) % 10**10
        return made[: table + 5] + b"%d 1\n%010d 00000 n \n" % (target, place) + made[table + 5 :]
    return made[:table] + re.sub(rb"/Root (\d+) 0 R", chance.choice([b"", rb"/Root \1 0 R /Root 3 0 R"]), made[table:])


MUTATIONS: list[Mutation] = [
    update_that_readers_repair,
    flip_bytes,
    flip_near_the_signature,
    change_a_number,
    cut_or_repeat,
    append_bytes,
    swap_names,
    change_the_container,
    overwrite_an_object,
    overwrite_an_object,
    overwrite_an_object,
    free_an_object,
    move_the_root,
]


def mutated(pdf: bytes, chance: random.Random) -> tuple[str, bytes]:
    """One or two mutations, and their names."""
    names = []
    for _ in range(chance.choice([1, 1, 1, 2])):
        mutation = chance.choice(MUTATIONS)
        names.append(mutation.__name__)
        pdf = mutation(pdf, chance)
    return "+".join(names), pdf
