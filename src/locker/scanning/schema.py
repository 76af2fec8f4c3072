import msgspec


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What the scanner said of one file: a verdict, never the lack of one."""

    signature: str | None = None
    """The scanner's name for what it found; None: it found nothing."""

    @property
    def clean(self) -> bool:
        return self.signature is None
