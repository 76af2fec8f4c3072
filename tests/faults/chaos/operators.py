"""Operators and their commands, while everything goes on."""

import asyncio
import signal
import subprocess
import sys
from random import Random

from tests.faults.chaos.calls import Calls
from tests.faults.chaos.place import Place

GRACE_S = 60
"""Longer than any request lives."""
COMMANDS = (
    ("sweep", "--grace-s", str(GRACE_S)),
    ("reconcile", "--grace-s", str(GRACE_S)),
    ("keys", "rewrap"),
    ("keys", "rotate-master"),
    ("keys", "retire-master"),
    ("keys", "rotate", "--of", "locker", "--at-once"),
    ("keys", "rotate", "--of", "locker"),
    ("keys", "retire", "--of", "locker"),
    ("erase",),
    ("retention",),
    ("hold", "list"),
    ("jobs", "list"),
    ("audit", "show"),
)
TURN_KEY = ("audit", "rotate-key")
RETIRE_KEY = ("audit", "retire-key")
DONE, REFUSED = 0, 2
COMMAND_MAX_S = 240
PAUSE_S = 3.0


class Operators:
    def __init__(self, place: Place, calls: Calls) -> None:
        self._place, self._calls = place, calls
        self.log_key_turned = False

    async def act(self, rng: Random) -> None:
        if rng.random() < 0.15:
            await self._turn_log_key()
        else:
            await self.run(*rng.choice(COMMANDS))
        # A command costs a start of Python: others want the processors too.
        await asyncio.sleep(PAUSE_S)

    async def _turn_log_key(self) -> None:
        """A new key, or the end of the former one; workers and servers read it when they start."""
        command = RETIRE_KEY if self.log_key_turned and (await self.run("audit", "show"))[0] == DONE else TURN_KEY
        code, _ = await self.run(*command)
        self._calls.note("log key", command=command[1], code=code)
        self.log_key_turned = True
        for worker in self._place.rig.workers:
            await worker.kill()
            self._place.figures.kills += 1
            worker.begin()
        await self._place.as_owner("UPDATE locker.log_head SET leader_until = now()")

    async def run(self, *words: str) -> tuple[int, str]:
        """Done, or refused in one line. A fault of ours, a lost object and a trace are none of the two."""
        node = self._place.rig.nodes[0]

        def run() -> subprocess.CompletedProcess[str]:
            with subprocess.Popen(
                [sys.executable, "-m", "khizana", *words],
                env={**node.environ, "PYTHONFAULTHANDLER": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                try:
                    said = process.communicate(timeout=COMMAND_MAX_S)
                except subprocess.TimeoutExpired:
                    # It says where it stands.
                    process.send_signal(signal.SIGABRT)
                    said = process.communicate()
                return subprocess.CompletedProcess(words, process.returncode, *said)

        done = await asyncio.to_thread(run)
        said = done.stderr[-3000:]
        self._calls.note("command", words=words, code=done.returncode, said=said)
        good = done.returncode in (DONE, REFUSED) and "Traceback" not in said
        self._calls.must(good, f"khizana {' '.join(words)}: {done.returncode} {done.stdout[-300:]} {said}")
        return done.returncode, done.stdout if done.returncode == DONE else done.stderr
