from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pytest

from kit.settings import Mode, SettingRefused, Settings, decode


class ProbeSettings(Settings, frozen=True, kw_only=True):
    prefix: ClassVar[str] = "KHIZANA_PROBE_"

    mode: Mode = "production"
    issuer: str
    secret: str
    folder: Path = Path("/nonexistent")
    attempts: int = 5
    loud: bool = False
    names: tuple[str, ...] = ()

    def refused_in_production(self) -> Iterable[tuple[str, str]]:
        if self.secret == "secret":
            yield "secret", "this is a default"


GIVEN = {"KHIZANA_ISSUER": "https://id.example/idp", "KHIZANA_PROBE_SECRET": "s3cr3t"}


def test_values_are_decoded_by_the_type_of_their_field() -> None:
    settings = decode(
        {
            **GIVEN,
            "KHIZANA_PROBE_ATTEMPTS": "7",
            "KHIZANA_PROBE_LOUD": "true",
            "KHIZANA_PROBE_NAMES": "a,b c",
            "KHIZANA_PROBE_FOLDER": "/somewhere",
            "PATH": "/bin",
        },
        ProbeSettings,
    )
    assert (settings.attempts, settings.loud, settings.names, settings.folder) == (
        7,
        True,
        ("a", "b", "c"),
        Path("/somewhere"),
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"KHIZANA_PROBE_ATEMPTS": "7"}, "KHIZANA_PROBE_ATEMPTS"),
        ({"KHIZANA_PROBE_ATTEMPTS": "many"}, "KHIZANA_PROBE_ATTEMPTS"),
        ({"KHIZANA_PROBE_LOUD": "perhaps"}, "KHIZANA_PROBE_LOUD"),
        ({"KHIZANA_PROBE_SECRET": "secret"}, "KHIZANA_PROBE_SECRET"),
        ({"KHIZANA_MODE": "testing"}, "KHIZANA_MODE"),
        ({"KHIZANA_PROBE_SECRET_FILE": "/nonexistent"}, "KHIZANA_PROBE_SECRET_FILE"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(change: dict[str, str], name: str) -> None:
    with pytest.raises(SettingRefused) as refused:
        decode({**GIVEN, **change}, ProbeSettings)
    assert refused.value.name == name
    assert str(refused.value).startswith(f"{name}: ")


def test_a_missing_setting_is_refused_by_its_name() -> None:
    with pytest.raises(SettingRefused, match="KHIZANA_PROBE_SECRET"):
        decode({"KHIZANA_ISSUER": "https://id.example/idp"}, ProbeSettings)


def test_a_value_never_stands_in_the_refusal() -> None:
    with pytest.raises(SettingRefused) as refused:
        decode({**GIVEN, "KHIZANA_PROBE_ATTEMPTS": "hunter2"}, ProbeSettings)
    assert "hunter2" not in str(refused.value)


def test_a_default_secret_is_for_the_embedded_product_alone() -> None:
    assert decode({**GIVEN, "KHIZANA_PROBE_SECRET": "secret", "KHIZANA_MODE": "embedded"}, ProbeSettings).secret


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    environ = {"KHIZANA_ISSUER": "x", "KHIZANA_PROBE_SECRET_FILE": str(tmp_path / "secret")}
    assert decode(environ, ProbeSettings).secret == "from a file"
