"""pyHanko logs each rejection with a traceback; the verdict says it, and formatting costs more than judging."""

import logging


def install() -> None:
    """For a worker process; other loggers go on as they are."""
    for name in ("pyhanko", "pyhanko_certvalidator"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
