"""Somebody kills it while it starts: the system that has no memory left, or an operator."""

import os
import signal

from worker_jobs import do

__all__ = ["do"]

os.kill(os.getpid(), signal.SIGKILL)
