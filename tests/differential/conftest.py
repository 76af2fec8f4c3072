from collections.abc import Iterator

import pytest

from tests.conftest import Dsns
from tests.running import Running, running_on


@pytest.fixture(scope="module")
def running(dsns: Dsns) -> Iterator[Running]:
    with running_on(dsns) as running:
        yield running
