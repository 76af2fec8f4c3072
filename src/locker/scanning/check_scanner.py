import tempfile
from pathlib import Path

from locker.scanning.scanner import Scanner

# Whoever scans this source is not to find it.
_TEST_FILE = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-" + "TEST-FILE!$H+H*"


async def check_scanner(scanner: Scanner) -> str | None:
    """The scanner's name for EICAR's test file; None: it does not know it, so most likely has no signatures.

    Raises ScannerAway.
    """
    with tempfile.TemporaryDirectory(prefix="khizana-scan-") as folder:
        path = Path(folder, "test")
        # 68 bytes, to the page cache.
        path.write_bytes(_TEST_FILE.encode())
        return (await scanner.scan(path)).signature
