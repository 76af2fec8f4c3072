"""A real Ceph on this machine: a monitor, an OSD that keeps its objects in memory, and a RADOS gateway with one bucket.

No manager: nothing that is tested here asks one, and three small processes are up within seconds.
"""

import contextlib
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import urllib3
from minio import Minio

from khizana.commands.test import find_program
from khizana.embedded import child
from khizana.embedded.s3 import Kept
from tests.product import free_port

BUCKET = "khizana"
UID = "khizana"
STARTS_WITHIN_S = 60.0
PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph")

# "ms mon client mode": the gateway alone asks for an encrypted monitor, which there is not without keys.
# "read lease ratio": two minutes. An OSD that stood still for longer may keep every request waiting
# until it is marked down (docs/operations.md); those that stand still in tests go on before.
_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor_port}]
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
keyring = /dev/null
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {folder}
crash dir = {folder}
log file = {folder}/$name.log
admin socket =
pid file =

mon data = {folder}/mon
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 1
mon tick interval = 1
paxos propose interval = 0.05
paxos min wait = 0.01

osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd pool default read lease ratio = 6

rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{gateway_port}
rgw thread pool size = 64
rgw num control oids = 1
rgw gc max objs = 1
rgw lc max objs = 1
rgw bucket quota ttl = 0
"""


@dataclass
class Ceph:
    """``bucket_folder``: as any S3 is, nobody but itself sees its files."""

    folder: Path
    monitor_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    access_key: str = "khizana-test"
    secret_key: str = "0123456789abcdef0123456789abcdef"
    bucket: str = BUCKET
    bucket_folder: None = None
    processes: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    @property
    def kept(self) -> Kept:
        return Kept(self.port, self.access_key, self.secret_key)

    @property
    def endpoint(self) -> str:
        return self.kept.endpoint

    def start(self) -> None:
        """Call it, and every other ``start``, from a thread that lives as long as the server."""
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        self._configuration.write_text(
            _CONFIGURATION.format(fsid=fsid, folder=self.folder, monitor_port=self.monitor_port, gateway_port=self.port)
        )
        monmap = str(self.folder / "monmap")
        self.run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{self.monitor_port}]", "--fsid", fsid, monmap)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._begin("ceph-mon", "-i", "a")
        self.run("ceph", "--connect-timeout", str(int(STARTS_WITHIN_S)), "osd", "new", osd)
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.start_osd()
        keys = ("--access-key", self.access_key, "--secret-key", self.secret_key)
        self.admin("user", "create", "--uid", UID, "--display-name", UID, *keys)
        self.start_gateway()
        self.client().make_bucket(self.bucket)

    def stop(self) -> None:
        """At once: nothing of it is kept."""
        for name in list(self.processes):
            self.kill(name)

    def start_osd(self) -> None:
        self._begin("ceph-osd", "-i", "0")

    def start_gateway(self) -> None:
        gateway = self._begin("radosgw", "-n", "client.rgw")
        up = child.wait_until(lambda: gateway.poll() is not None or self._answers(), STARTS_WITHIN_S)
        assert up, f"radosgw does not answer: {self._said('radosgw')}"
        assert gateway.poll() is None, f"radosgw did not start: {self._said('radosgw')}"

    def kill(self, name: str) -> None:
        """``ceph-mon``, ``ceph-osd`` or ``radosgw``, with SIGKILL."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    @contextmanager
    def still(self, name: str) -> Iterator[None]:
        """One of the programs stands still: its connections stay, and nothing comes."""
        process = self.processes[name]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    @contextmanager
    def full(self) -> Iterator[None]:
        """The bucket's owner may not keep one byte more."""
        self.admin("quota", "set", "--quota-scope=user", "--uid", UID, "--max-size=1")
        self.admin("quota", "enable", "--quota-scope=user", "--uid", UID)
        try:
            yield
        finally:
            self.admin("quota", "disable", "--quota-scope=user", "--uid", UID)

    def admin(self, *words: str) -> str:
        return self.run("radosgw-admin", *words)

    def run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [_found(program), *self._named(), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=STARTS_WITHIN_S + 10,
        )
        assert done.returncode == 0, f"{program} {' '.join(words)}: {done.stderr[-2000:]}{self._said('ceph-mon')}"
        return done.stdout

    def client(self) -> Minio:
        return Minio(
            f"127.0.0.1:{self.port}",
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=False,
            region="us-east-1",
        )

    @property
    def _configuration(self) -> Path:
        return self.folder / "ceph.conf"

    def _named(self) -> list[str]:
        return ["-c", str(self._configuration)]

    def _begin(self, program: str, *words: str) -> "subprocess.Popen[bytes]":
        command = [*child.dying_with_us("KILL"), _found(program), "-f", *self._named(), *words]
        process = child.spawn(command, log=self.folder / f"{program}.out")
        self.processes[program] = process
        return process

    def _answers(self) -> bool:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return urllib3.request("GET", self.endpoint, timeout=2, retries=False).status == 200
        return False

    def _said(self, program: str) -> str:
        return child.last_lines(self.folder / f"{program}.out")


def _found(program: str) -> str:
    path = find_program(program)
    assert path is not None, program
    return path


@contextmanager
def running_ceph(folder: Path) -> Iterator[Ceph]:
    """Skips loudly where Debian's packages are not installed."""
    missing = [program for program in PROGRAMS if find_program(program) is None]
    if missing:
        pytest.skip(
            "SKIPPED: no Ceph here; install the packages ceph-mon, ceph-osd, radosgw and ceph-common, or name a gateway"
            " in KHIZANA_TEST_CEPH_ENDPOINT, _ACCESS_KEY, _SECRET_KEY and _BUCKET"
        )
    ceph = Ceph(folder)
    try:
        ceph.start()
        yield ceph
    finally:
        ceph.stop()
