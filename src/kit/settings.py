"""Settings come from the environment, are decoded once, and a wrong one stops the start with its name.

A frozen msgspec struct declares them. ``prefix`` makes ``database_url`` the variable ``KHIZANA_IDP_DATABASE_URL``;
fields listed in ``shared`` have no app in their name (``KHIZANA_ISSUER``). ``NAME_FILE`` may name a file that holds the
value, so that secrets need not stand in an environment.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import msgspec

Mode = Literal["embedded", "production"]


class SettingRefused(Exception):
    """``name`` is the variable; the message says what to change."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Base of each app's settings. A ``__post_init__`` may raise ValueError("field: why")."""

    prefix: ClassVar[str] = "KHIZANA_"
    shared: ClassVar[frozenset[str]] = frozenset({"mode", "issuer", "locker_url", "trusted_proxies"})

    def refused_in_production(self) -> Iterable[tuple[str, str]]:
        """Pairs of field and reason for what may not be so in production."""
        return ()

    @classmethod
    def variable(cls, field: str) -> str:
        return ("KHIZANA_" if field in cls.shared else cls.prefix) + field.upper()


S = TypeVar("S", bound=Settings)

# The command line's own variables; the apps do not read them.
FRONT_DOOR = frozenset(
    {
        "KHIZANA_HOME",
        "KHIZANA_PORT",
        "KHIZANA_WORKERS",
        "KHIZANA_DRAIN_S",
        "KHIZANA_FIXTURES",
        "KHIZANA_CA_FILE",
        "KHIZANA_METRICS",
        "KHIZANA_TRACES",
        "KHIZANA_OWNER_DATABASE_URL",
        "KHIZANA_SMTP_URL",
        "KHIZANA_MAIL_FROM",
        "KHIZANA_SMS_URL",
        "KHIZANA_SMS_TOKEN",
    }
)


def variables(struct: type[Settings]) -> dict[str, str]:
    """Variable → field."""
    return {struct.variable(field.name): field.name for field in msgspec.structs.fields(struct)}


def decode(environ: Mapping[str, str], struct: type[S], *, others: Iterable[type[Settings]] = ()) -> S:
    """The settings of one app. ``others`` are apps whose variables may stand in the same environment.

    Raises SettingRefused for a variable that nobody knows, a wrong type, a missing value, or one that production
    refuses.
    """
    mine = variables(struct)
    known = FRONT_DOOR.union(mine, *(variables(other) for other in others))
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith("KHIZANA_") or name.startswith("KHIZANA_TEST_"):
            continue
        if name in mine:
            values[mine[name]] = text
        elif name.endswith("_FILE") and name.removesuffix("_FILE") in mine:
            try:
                values[mine[name.removesuffix("_FILE")]] = Path(text).read_text(encoding="utf-8").strip()
            except OSError as fault:
                raise SettingRefused(name, "this file cannot be read") from fault
        elif name not in known and name.removesuffix("_FILE") not in known:
            raise SettingRefused(name, "no setting has this name")
    converted = {}
    for field in msgspec.structs.fields(struct):
        name = struct.variable(field.name)
        if field.name not in values:
            if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
                raise SettingRefused(name, "this setting is needed and not set")
            continue
        converted[field.name] = _convert(name, values[field.name], field.type)
    try:
        settings = struct(**converted)
    except ValueError as fault:
        field_name, _, why = str(fault).partition(": ")
        raise SettingRefused(struct.variable(field_name), why) from None
    if getattr(settings, "mode", None) == "production":
        for field_name, why in settings.refused_in_production():
            raise SettingRefused(struct.variable(field_name), why)
    return settings


def _convert(name: str, text: str, wanted: Any) -> Any:
    value: Any = text
    if getattr(wanted, "__origin__", None) in (tuple, list, frozenset, set):
        value = text.replace(",", " ").split()
    elif wanted is bool:
        value = {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    try:
        return msgspec.convert(value, wanted, strict=False, dec_hook=_path)
    except msgspec.ValidationError as fault:
        # The message speaks of types; the value itself may be a secret and is not repeated.
        raise SettingRefused(name, str(fault).split(" - at ")[0]) from None


def _path(wanted: type, value: Any) -> Any:
    if wanted is Path:
        return Path(value)
    raise NotImplementedError
