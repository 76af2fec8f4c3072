"""What is done at a locker, each on a scene of its own: ``ACTS[name](scene)`` prepares it and gives what does it."""

from collections.abc import Awaitable, Callable

from tests.interleaving import Act
from tests.races.scene import Scene

Prepare = Callable[[Scene], Awaitable[Act]]
ACTS: dict[str, Prepare] = {}


def act(prepare: Prepare) -> Prepare:
    ACTS[prepare.__name__] = prepare
    return prepare
