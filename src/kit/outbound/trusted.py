"""Whose certificates we believe when we ask somebody over HTTPS."""

import functools
import ssl
from pathlib import Path


def trusted(*, ca_file: Path | None = None, certificate: Path | None = None) -> ssl.SSLContext:
    """``ca_file`` stands beside the system's certification authorities. ``certificate`` (PEM, its chain and its key in
    one file) is shown to servers that ask for one.

    For HTTPS alone: its clients write the names of their protocols into a context (RFC 7301).
    """
    if ca_file is None and certificate is None:
        return _system()
    context = _new()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    if certificate is not None:
        # A key under a password would make the process ask at its terminal.
        context.load_cert_chain(certificate, password="")
    return context


@functools.cache
def _system() -> ssl.SSLContext:
    """Once in a process: a hundred and fifty certificates are read."""
    return _new()


def _new() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
