"""Hosts that lack something: the command copes, or says what and who can mend it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.harness import account
from tests.harness.command import Rootless
from tests.need import need

ONE_ID = ("unshare", "--user", "--map-root-user", "--mount")
ALL_IDS = (*account.ALL_IDS, "--mount")


def inside(
    rootless: Rootless, namespace: tuple[str, ...], script: str, *words: str | Path, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """A shell script in a user and mount namespace; `rootless` in it is the command, words are $1...

    Processes of its session end with it.
    """
    command = " ".join(f"'{word}'" for word in rootless.argv)
    prelude = f'rootless() {{ {command} "$@"; }}\n'
    argv = [
        *namespace,
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-euc",
        prelude + script,
        "sh",
    ]
    return subprocess.run(
        [*argv, *map(str, words)], env=rootless.environment, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=timeout_s, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("named", ["/nonexistent", "/tmp", "", "relative"])
def test_wrong_runtime_directory(rootless: Rootless, busybox_image: str, named: str) -> None:
    """`su` and batch systems leave it so; it is not trusted, and nothing is put there."""
    out = rootless(
        "run", "--rm", "--network", "none", busybox_image, "echo", "ok", env={"XDG_RUNTIME_DIR": named}
    )
    assert out.stdout == "ok\n"


def test_no_home(rootless: Rootless, busybox_image: str) -> None:
    out = rootless("run", "--rm", "--network", "none", busybox_image, "echo", "ok", env={"HOME": ""})
    assert out.stdout == "ok\n"


@pytest.mark.own_store
@pytest.mark.parametrize("namespace", [ALL_IDS, ONE_ID], ids=["all ids", "one id"])
def test_in_a_user_namespace_already(
    rootless: Rootless, busybox_archive: Path, namespace: tuple[str, ...]
) -> None:
    """A container in a container: no newuidmap there, the maps are ours to write."""
    script = 'rootless load -i "$1" >&2; rootless run --rm --network none busybox:latest id -u'
    done = inside(rootless, namespace, script, busybox_archive)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    warnings = [line for line in done.stderr.splitlines() if "warning" in line.lower()]
    assert len(warnings) <= 1


@pytest.mark.own_store
def test_full_disk(rootless: Rootless, busybox_archive: Path) -> None:
    """ps, inspect, stop and rm need no space; what needs some says that there is none."""
    script = """
    mount -t tmpfs -o size=12m none "$ROOTLESS_ROOT"
    rootless load -i "$1" >/dev/null
    rootless run -d --name web --network none busybox:latest sleep 1000 >/dev/null
    dd if=/dev/zero of="$ROOTLESS_ROOT/ballast" bs=64k 2>/dev/null || true
    dd if=/dev/zero of="$ROOTLESS_ROOT/more" bs=1 2>/dev/null || true
    rootless ps --format '{{.Names}}'
    rootless inspect -f '{{.State.Status}}' web
    rootless create --name other busybox:latest true && exit 9
    rootless stop -t 1 web
    rootless inspect -f '{{.State.Status}}' web
    rootless rm web
    rm "$ROOTLESS_ROOT/ballast"
    rootless run --rm --network none busybox:latest echo again
    """
    done = inside(rootless, ALL_IDS, script, busybox_archive)
    assert done.stdout.split() == ["web", "running", "web", "exited", "web", "again"], done.stderr
    assert "no space left on" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_read_only_store(rootless: Rootless, busybox_image: str) -> None:
    """What only reads works on a read-only disk. Sockets and locks have a place of their own: the last resort is in the store, where
    another account has had a namespace of this number."""
    rootless("create", "--name", "box", busybox_image, "true")
    script = """
    export XDG_RUNTIME_DIR=$(mktemp -d); trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
    mount --bind "$ROOTLESS_ROOT" "$ROOTLESS_ROOT"; mount -o remount,bind,ro "$ROOTLESS_ROOT"
    rootless ps -a --format '{{.Names}}'
    rootless inspect -f '{{.State.Status}}' box
    rootless create busybox:latest true && exit 9
    true
    """
    done = inside(rootless, ALL_IDS, script)
    rootless("rm", "box")
    assert done.stdout.split() == ["box", "created"], done.stderr
    assert "read-only" in done.stderr.lower()


@pytest.mark.parametrize("device", ["/dev/net/tun"])
def test_missing_device_is_named(rootless: Rootless, busybox_image: str, device: str) -> None:
    need(Path(device).exists(), f"no {device}")
    script = f"mount --bind /dev/null {device}; rootless run --rm --network slirp4netns busybox:latest true"
    done = inside(rootless, ALL_IDS, script)
    assert done.returncode == 125
    assert "tap" in done.stderr or device in done.stderr


def test_doctor(rootless: Rootless) -> None:
    """0 where a container can run, and this suite runs where one can."""
    told = rootless("doctor", warns=True)
    assert told.stdout
    findings = json.loads(rootless("doctor", "--json", warns=True).stdout)
    assert findings
    assert rootless("info", warns=True).stdout
    assert rootless("version").stdout


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("-v {0}:/d:ro", False),
        ("--mount type=bind,src={0},dst=/d,readonly", False),
        ("--mount type=bind,src={0},dst=/d,readonly,bind-recursive=writable", True),
        ("-v {0}:/d", True),
    ],
)
def test_what_is_mounted_below_a_bind(
    rootless: Rootless, busybox_image: str, tmp_path: Path, words: str, written: bool
) -> None:
    """Read-only throughout, as Docker's: a disk below the directory is no hole in it."""
    (tmp_path / "disk").mkdir()
    script = f"mount -t tmpfs tmpfs {tmp_path}/disk; rootless run --rm {words.format(tmp_path)} {busybox_image} touch /d/disk/f"
    done = inside(rootless, ALL_IDS, script)
    assert (done.returncode == 0) is written, done.stderr
