"""A PKCS#11 token in software, as a device of production stands: SoftHSM of the distribution."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PIN = "0987654321"
LABEL = "khizana"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True)
class Token:
    module: Path
    folder: Path

    @property
    def settings(self) -> dict[str, Any]:
        return {"pkcs11_module": self.module, "pkcs11_token": LABEL, "pkcs11_pin": PIN}

    def go_away(self) -> None:
        self.folder.rename(self.folder.with_name("away"))

    def come_back(self) -> None:
        self.folder.with_name("away").rename(self.folder)


def make_token(home: Path) -> Token:
    """SoftHSM reads its configuration's place from the environment when a process loads it."""
    module = next((Path(path) for path in _MODULES if Path(path).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SKIPPED: no SoftHSM here; install the package softhsm2 to test keys in a PKCS#11 device")
    folder = home / "tokens"
    folder.mkdir()
    configuration = home / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    words = ("--init-token", "--free", "--label", LABEL, "--so-pin", "1234567890", "--pin", PIN)
    subprocess.run(["softhsm2-util", *words], check=True, capture_output=True)
    return Token(module, folder)
