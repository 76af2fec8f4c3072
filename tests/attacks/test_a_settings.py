"""Group A of the attack catalogue: what a production start refuses, and what it never tells."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdeffedcba9876543210"


def production(tmp_path: Path, **changed: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KHIZANA_")}
    return {
        **kept,
        "KHIZANA_HOME": str(tmp_path),
        "KHIZANA_MODE": "production",
        "KHIZANA_ISSUER": "https://id.example.ma/idp",
        "KHIZANA_IDP_DATABASE_URL": "postgresql://idp:a-database-password@db.invalid/khizana",
        "KHIZANA_IDP_SECRET": SECRET,
        "KHIZANA_IDP_KEYS_FOLDER": str(tmp_path),
        **changed,
    }


def serve(environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "khizana", "serve", "idp", "--port", "1"],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KHIZANA_IDP_SECRET", "0" * 64),
        ("KHIZANA_IDP_SECRET", "abc123"),
        ("KHIZANA_IDP_SECRET", "not hexadecimal digits " * 4),
        ("KHIZANA_ISSUER", "http://id.example.ma/idp"),
        ("KHIZANA_IDP_DEMO_OUTBOX", "true"),
        ("KHIZANA_IDP_UNTHROTTLED_UIDS", "2000000000"),
        ("KHIZANA_IDP_CONNECTIONS_MAX", "many"),
        ("KHIZANA_IDP_NO_SUCH_SETTING", "1"),
    ],
)
def test_a_15_production_refuses_to_start_and_names_the_setting(tmp_path: Path, name: str, value: str) -> None:
    refused = serve(production(tmp_path, **{name: value}))
    assert refused.returncode == 2
    assert name in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_17_a_refused_start_repeats_no_secret(tmp_path: Path) -> None:
    for environ in (
        production(tmp_path, KHIZANA_IDP_CONNECTIONS_MAX="many"),
        production(tmp_path, KHIZANA_IDP_SECRET="abc123"),
    ):
        said = serve(environ)
        for secret in (SECRET, "a-database-password", "abc123"):
            assert secret not in said.stdout + said.stderr


@pytest.mark.parametrize("words", [["--help"], ["serve", "--help"], ["client", "--help"]])
def test_a_17_help_tells_no_secret(tmp_path: Path, words: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "khizana", *words],
        env=production(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0
    assert SECRET not in told.stdout + told.stderr
    assert "a-database-password" not in told.stdout + told.stderr
