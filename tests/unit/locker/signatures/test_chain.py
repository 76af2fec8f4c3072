"""A chain is found the same however many threads look for one."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from locker.signatures.certificate import Certificate
from locker.signatures.chain import Chain, find_chain
from locker.signatures.trust_store import TrustStore
from tests.unit.locker.signatures.signature_pki import pki, trust

THREADS = 8
ROUNDS = 10


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """The processor goes from thread to thread in the middle of what each does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
def test_threads_that_look_for_a_chain_at_once_each_find_it() -> None:
    leaf, issuing = Certificate(pki().seal.der), Certificate(pki().issuing.der)
    at_once = threading.Barrier(THREADS)

    def look(_: int) -> Chain | None:
        # A store of its own: what one thread has found spares another no work.
        store = TrustStore(trust())
        at_once.wait()
        return find_chain(leaf, store=store, candidates=[issuing])

    with ThreadPoolExecutor(THREADS) as threads:
        for _ in range(ROUNDS):
            found = list(threads.map(look, range(THREADS)))
            assert all(chain is not None and chain.follows_rules for chain in found)
