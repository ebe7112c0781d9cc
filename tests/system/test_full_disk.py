"""What ends or removes something works where nothing can be written any more: a full or a read-only ROOT."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need

# As root of a user namespace with a mount and a pid namespace of its own: a small file system, filled to the last
# byte, and all processes gone at the end, whatever the test did.
BEGIN = """\
set -u
mount -t tmpfs -o size=24m,mode=700 small "$1"
export ROOTLESS_ROOT="$1/root" XDG_RUNTIME_DIR="$2" PATH="$4:$PATH"
cd "$1"
rootless load -q -i "$3" >&2 2>/dev/null
for name in one two three four five; do
    rootless run -d --name $name --network none --restart always busybox sleep 1000 >/dev/null 2>&1
done
rootless run -d --name again --network none --restart unless-stopped busybox sh -c 'sleep 0.1; exit 1' >/dev/null 2>&1
rootless run --name ended --network none --restart on-failure busybox true 2>/dev/null
rootless pause five >/dev/null
state() { rootless inspect -f '{{.State.Status}} {{.RestartCount}}' "$@"; }
try() { out=$("$@" 2>&1) || echo "FAILED: $*: $out"; }
"""
FULL = """\
head -c 30m /dev/zero >ballast 2>/dev/null
dd if=/dev/zero of=crumbs bs=1 2>/dev/null
if echo x >one-more 2>/dev/null; then echo NOT FULL; fi
"""
READ_ONLY = """\
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
"""
RUNTIME_FULL = """\
head -c 30m /dev/zero >"$2/ballast" 2>/dev/null
dd if=/dev/zero of="$2/crumbs" bs=1 2>/dev/null
"""


@pytest.fixture
def small(rootless: Rootless, busybox_archive: Path) -> Iterator[list[str]]:
    words = ["unshare", "-Urmpf", "--mount-proc", "--kill-child", "--"]
    possible = subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    need(possible, "unshare -Urmpf does not work here")
    root = Path(tempfile.mkdtemp(prefix="rl-small-", dir="/var/tmp"))
    runtime = Path(tempfile.mkdtemp(prefix="rl-small-", dir="/tmp"))
    place = str(Path(rootless.argv[0]).parent)
    yield [*words, "sh", "-c", "SCRIPT", "sh", str(root), str(runtime), str(busybox_archive), place]
    remove_tree(root)
    remove_tree(runtime)


def said(small: list[str], *script: str) -> list[str]:
    argv = ["\n".join(script) if word == "SCRIPT" else word for word in small]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110, check=False)
    return done.stdout.splitlines()


LATER = "sleep 2"  # a restart would have come after 0.1 s


def test_stopped_and_killed_on_a_full_disk(small: list[str]) -> None:
    """And the policy brings none back: not after the end, and not at boot what was stopped by hand."""
    out = said(
        small, BEGIN, FULL,
        "try rootless stop -t 0 one; try rootless kill two; try rootless stop -t 0 again; try rootless stop -t 0 five",
        LATER, "state one two five | tr '\\n' ,; echo; state again | cut -d' ' -f1",
        "rm ballast crumbs",
        "try rootless container start-with-machine; rootless ps --format '{{.Names}}' | sort | tr '\\n' ' '; echo",
        # With space again what had been renamed is written.
        "find $ROOTLESS_ROOT/containers -name 'restart.*' | sed 's,.*/,,' | sort | uniq -c | tr -s ' \\n' ' '; echo",
        "try rootless start again; find $ROOTLESS_ROOT/containers -name 'restart.stopped'",
    )  # fmt: skip
    # `again` is unless-stopped, `ended` on-failure with status 0; the others come back with the machine, as Docker's.
    assert out == [
        "exited 0,exited 0,exited 0,", "exited", "five four one three two ", " 6 restart.json 1 restart.stopped ",
    ]  # fmt: skip


def test_removed_on_a_full_disk(small: list[str]) -> None:
    out = said(
        small, BEGIN, FULL,
        "try rootless rm -f one; try rootless rm ended; try rootless rm -f again",
        "try rootless stop -t 0 two; try rootless container prune -f",
        "rootless ps -a --format '{{.Names}}' | sort | tr '\\n' ' '; echo",
        "try rootless rm -f three four five; try rootless rmi busybox; try rootless system prune -af",
        "ls $ROOTLESS_ROOT/containers $ROOTLESS_ROOT/names $ROOTLESS_ROOT/layers | grep -c '[0-9a-z]$'",
    )  # fmt: skip
    assert out[0] == "five four three "
    assert not [line for line in out if line.startswith(("FAILED", "NOT"))], out


def test_paused_and_unpaused_on_a_full_disk(small: list[str]) -> None:
    """And what a name says is written again with the next chance; a stopped one was let go on first."""
    listed = "rootless inspect -f '{{.State.Status}}' one two five | tr '\\n' ,; echo"
    out = said(
        small, BEGIN, FULL,
        "try rootless unpause five; try rootless pause one; try rootless pause two", listed,
        "timeout 1 rootless exec five true && echo goes on; rootless pause one 2>&1 | sed 's,.* is,is,'",
        "try rootless unpause one; try rootless pause five", listed,
        "try rootless unpause five; try rootless stop -t 0 two; try rootless pause one", listed,
        "rm ballast crumbs; try rootless start two; try rootless unpause one; try rootless pause five", listed,
        "find $ROOTLESS_ROOT/containers -name 'state.paused'",
    )  # fmt: skip
    assert out == [
        "paused,paused,running,", "goes on", "is already paused", "running,paused,paused,", "paused,exited,running,",
        "running,running,paused,",
    ]  # fmt: skip


def test_everything_is_reset_on_a_full_disk(small: list[str]) -> None:
    out = said(small, BEGIN, FULL, "try rootless system reset -f", "ls -A $ROOTLESS_ROOT 2>&1 | head -n 3")
    assert not [line for line in out if line.startswith(("FAILED", "NOT"))], out
    assert "No such file" in out[-1]


def test_stopped_on_a_read_only_disk(small: list[str]) -> None:
    out = said(
        small, BEGIN, READ_ONLY,
        "try rootless stop -t 0 one; try rootless kill two; try rootless stop -t 0 again",
        LATER, "state one two | tr '\\n' ,; echo; rootless ps --format '{{.Names}}' | sort | tr '\\n' ' '; echo",
        "rootless rm -f three 2>&1",
    )  # fmt: skip
    assert out[:2] == ["exited 0,exited 0,", "five four three "]
    assert "read-only" in out[2].lower()


def test_a_full_runtime_directory(small: list[str]) -> None:
    out = said(
        small, 'mount -t tmpfs -o size=256k,mode=700 small "$2"', BEGIN, RUNTIME_FULL,
        "try rootless stop -t 0 one; try rootless kill two; try rootless rm -f three; try rootless stop -t 0 again",
        LATER, "state one two | tr '\\n' ,; echo; rootless ps --format '{{.Names}}' | sort | tr '\\n' ' '; echo",
    )  # fmt: skip
    assert out == ["exited 0,exited 0,", "five four "]
