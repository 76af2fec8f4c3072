from locker.scanning.scanner import Scanner
from locker.settings import LockerSettings


def open_scanner(settings: LockerSettings) -> Scanner | None:
    """None where no scanner is configured: then nothing is scanned and nothing waits for it."""
    if settings.clamav is None:
        return None
    return Scanner(settings.clamav, answer_max_s=settings.clamav_answer_max_s, at_once_max=settings.clamav_at_once_max)
