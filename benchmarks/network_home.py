"""An image's first start on a node, its store on a home on NFS 4.2: from one squashfs file there beside unpacking its layers.

    python -m benchmarks.network_home ARCHIVE IMAGE [COMMAND...]

ARCHIVE is of `rootless save`, IMAGE its name, COMMAND what runs (true). In a machine of tests/vm (an emulated processor, a server of NFS in
the same machine): the ratio counts. Cold: before each start the node has nothing of it, and all caches are dropped.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import report
from benchmarks.measure import Row
from tests.harness import images
from tests.vm import image, wheels
from tests.vm.conftest import install
from tests.vm.machine import Machine
from tests.vm.nfs import Home

ROUNDS = 3
LIMIT_S = 1800.0
# The session of the last start would have it mounted. It ends with its processes: this user's on this node are no one else's.
FORGET = "for pid in $(pgrep -u alice -f 'rootless: session'); do kill $pid; done; sleep 2"
SERVER = "/usr/bin/squashfuse_ll"


def measure(machine: Machine, archive: Path, name: str, command: list[str]) -> list[Row]:
    """Milliseconds, by the machine's clock, inside of one login."""
    machine.put(archive, "/srv/image.tar", user="root")
    machine.run("root", "chmod a+r /srv/image.tar")
    home = Home(machine, "alice", "4.2")
    home.run("rootless load -q -i /srv/image.tar", timeout=LIMIT_S)
    start = f"rootless run --rm --network none {shlex.join([name, *command])}"
    places = f"/var/tmp/second-{home.name} {home.namespace}.run"

    def once() -> float:
        machine.run("root", f"{FORGET}; rm -rf {places}; install -d -m 700 -o alice -g alice {places}")
        home.second("rootless ps -q")  # its session, which a day on a node starts with
        machine.run("root", "sync; echo 3 >/proc/sys/vm/drop_caches")
        done = home.second(f"set -e; begin=$(date +%s%N); {start} >/dev/null; echo $((($(date +%s%N) - begin) / 1000000))", timeout=LIMIT_S)
        return float(done.stdout.split()[-1])

    def unpacked() -> float:
        machine.run("root", f"mv {SERVER} {SERVER}.away")
        try:
            return once()
        finally:
            machine.run("root", f"mv {SERVER}.away {SERVER}")

    try:
        return [_row(once, unpacked)]
    finally:
        home.close()


def _row(ours: Callable[[], float], theirs: Callable[[], float]) -> Row:
    rounds = sorted(((ours(), theirs()) for _ in range(ROUNDS)), key=lambda pair: pair[0] / pair[1])
    print(rounds, file=sys.stderr)
    one, other = rounds[ROUNDS // 2]
    return Row("first start of an image, cold, its home on NFS 4.2", "unpacked", "ms", one, other, one / other, 1 / 3, ROUNDS)


def main(archive: Path, name: str, command: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made, tempfile.TemporaryDirectory(dir="/var/tmp") as wheelhouse:
        built = image.ensure("trixie+servers")
        wheels.gather(wheels.build(Path(made)), built.suite, Path(wheelhouse))
        machine = Machine(built)
        try:
            machine.boot()
            install(machine, Path(wheelhouse), images.busybox_archive(Path.home() / ".cache/rootless-tests"))
            print(report.markdown(measure(machine, archive, name, command)))
        finally:
            machine.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:] or ["true"])
