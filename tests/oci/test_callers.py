"""Podman with its conmon, Buildah, and containerd under rootlesskit call us in place of runc.

Each as an ordinary user, with stores and daemons of its own that end with the test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import account
from tests.harness.account import SYSTEM_PATH, User
from tests.harness.trees import remove_tree
from tests.need import need, need_program, without_range
from tests.oci.bundles import Runtime

CONTAINERS_CONF = """\
[engine]
runtime = "rootless-oci"
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["rootless-oci"]
runtime_supports_nocgroup = ["rootless-oci"]
runtime_supports_nocgroups = ["rootless-oci"]
[engine.runtimes]
rootless-oci = ["{program}"]
"""
STORAGE_CONF = (
    '[storage]\ndriver = "overlay"\ngraphroot = "{directory}/graph"\nrunroot = "{run}/containers"\n'
)


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry


class Callers:
    """Podman and Buildah with our runtime: `callers("podman", "run", ...)`."""

    def __init__(self, oci: Runtime, directory: Path, run: Path) -> None:
        self.program = oci.program
        (directory / "containers.conf").write_text(CONTAINERS_CONF.format(program=oci.program))
        (directory / "storage.conf").write_text(STORAGE_CONF.format(directory=directory, run=run))
        config = directory / "config/containers"
        config.mkdir(parents=True)
        (config / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self.environment = {
            "HOME": str(Path.home()),
            "USER": os.environ.get("USER", ""),
            "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
            "XDG_RUNTIME_DIR": str(run),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "XDG_DATA_HOME": str(directory / "data"),
            "CONTAINERS_CONF": str(directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
        }
        archive = directory / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(oci.rootfs, arcname=".", filter=_of_root)
        self("podman", "import", str(archive), "bb")

    def __call__(self, *argv: str, status: int = 0, timeout: float = 90) -> str:
        done = subprocess.run(
            argv, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        assert done.returncode == status, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + (done.stderr if status else "")


@pytest.fixture
def run_directory() -> Iterator[Path]:
    """A short path for sockets."""
    path = Path(tempfile.mkdtemp(prefix="rl-oci-", dir="/tmp"))
    yield path
    remove_tree(path)


@pytest.fixture
def callers(user: User, oci: Runtime, directory: Path, run_directory: Path) -> Iterator[Callers]:
    need(account.has_subordinate_ids(user) or without_range(), f"{user.name} has no subordinate ids")
    need_program("podman")
    need_program("conmon")
    found = Callers(oci, directory, run_directory)
    yield found
    found("podman", "rm", "--all", "--force", "--time", "0")
    found("podman", "system", "migrate")  # ends Podman's pause process


RUN = ("podman", "run", "--cgroups=disabled", "--network=none")


def test_podman_runs_once(callers: Callers) -> None:
    out = callers(
        *RUN, "--rm", "bb", "sh", "-c", "id -u; cat /proc/self/uid_map; grep Seccomp: /proc/self/status"
    )
    assert out.split()[0] == "0"
    assert str(os.getuid()) in out
    assert "Seccomp:\t2" in out
    callers(*RUN, "--rm", "bb", "sh", "-c", "exit 7", status=7)
    assert "not found" in callers(*RUN, "--rm", "bb", "nosuch", status=127)
    assert callers(*RUN, "--rm", "-t", "bb", "tty").strip() == "/dev/pts/0"
    assert callers(
        *RUN,
        "--rm",
        "--read-only",
        "--tmpfs",
        "/tmp",
        "bb",
        "sh",
        "-c",
        "touch /x || touch /tmp/x && echo tmp",
    )
    if not without_range():  # Podman wants one for keep-id
        assert callers(*RUN, "--rm", "--userns=keep-id", "bb", "id", "-u").strip() == str(os.getuid())
    assert callers(*RUN, "--rm", "-v", f"{callers.program.parent}:/mnt:ro", "bb", "ls", "/mnt").strip()


def test_podman_start_exec_stop_remove(callers: Callers) -> None:
    callers(
        *RUN,
        "-d",
        "--name",
        "box",
        "--init=false",
        "bb",
        "sh",
        "-c",
        "trap 'exit 3' TERM; while :; do sleep 0.1; done",
    )
    assert callers("podman", "exec", "box", "echo", "inside") == "inside\n"
    callers("podman", "exec", "box", "sh", "-c", "exit 5", status=5)
    assert "/dev/pts/" in callers("podman", "exec", "-t", "box", "tty")
    callers("podman", "stop", "--time", "5", "box")
    assert (
        callers("podman", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "box")
        == "exited 3\n"
    )
    callers("podman", "start", "box")
    callers("podman", "kill", "box")
    callers("podman", "wait", "box")
    callers("podman", "rm", "box")


def test_podman_knows_why_a_command_does_not_run(callers: Callers) -> None:
    """By words in our error: its statuses are those that it has with runc."""
    callers(*RUN, "-d", "--name", "box", "bb", "sleep", "1000")
    for command, status in (("/etc", 126), ("/etc/passwd", 126), ("/nosuch", 127), ("nosuch", 127)):
        callers("podman", "exec", "box", command, status=status)
        callers(*RUN, "--rm", "bb", command, status=status)
    callers("podman", "exec", "--workdir", "/nosuch", "box", "true", status=127)
    callers("podman", "rm", "--force", "--time", "0", "box")


def test_podman_create_then_start(callers: Callers) -> None:
    name = callers("podman", "create", "--cgroups=disabled", "--network=none", "bb", "echo", "later").strip()
    callers("podman", "init", name)
    assert "Initialized" in callers("podman", "inspect", "--format", "{{.State.Status}}", name).title()
    assert callers("podman", "start", "--attach", name) == "later\n"


@pytest.mark.real_ids("buildah asks for supplementary groups")
def test_buildah_builds(callers: Callers, directory: Path) -> None:
    need_program("buildah")
    context = directory / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(
        "FROM localhost/bb\nRUN echo made > /file && id -u\nUSER 12\nRUN test $(id -u) = 12\n"
    )
    callers(
        "buildah", "bud", "--isolation", "oci", "--runtime", str(callers.program), "--network", "none",
        "-t", "built", str(context), timeout=110,
    )  # fmt: skip
    assert callers(*RUN, "--rm", "localhost/built", "cat", "/file") == "made\n"


CONTAINERD = """\
set -eu
d=$1 run=$2 program=$3 rootfs=$4
mkdir -p /run/containerd
cat > $d/config.toml <<X
version = 2
root = "$d/root"
state = "$d/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$run/c.sock"
X
containerd -c $d/config.toml > $d/log 2>&1 &
daemon=$!
trap 'kill $daemon; wait $daemon || true' EXIT
for i in $(seq 100); do [ -S $run/c.sock ] && break; sleep 0.1; done
ctr() { command ctr -a $run/c.sock "$@"; }
status=0
ctr run --rm --runc-binary $program --rootfs $rootfs once sh -c 'id -u; exit 5' || status=$?
echo status $status
ctr run -d --runc-binary $program --rootfs $rootfs box sleep 60
ctr task ls | grep box
ctr task exec --exec-id e1 box echo inside
ctr task ps box | wc -l
ctr task kill -s KILL box
for i in $(seq 50); do ctr task ls | grep -q STOPPED && break; sleep 0.1; done
ctr task rm box || true
ctr container rm box
ctr container ls -q | wc -l
"""


@pytest.mark.real_ids("rootlesskit takes no user without")
def test_containerd_under_rootlesskit(oci: Runtime, directory: Path, run_directory: Path, user: User) -> None:
    for program in ("containerd", "ctr", "rootlesskit"):
        need_program(program)
    need(account.has_subordinate_ids(user), f"{user.name} has no subordinate ids")
    script = directory / "containerd.sh"
    script.write_text(CONTAINERD)
    done = subprocess.run(
        [
            "rootlesskit", "--net=host", "--copy-up=/etc", "--copy-up=/run", "--pidns",
            f"--state-dir={run_directory}/rk", "sh", str(script), str(directory), str(run_directory),
            str(oci.program), str(oci.rootfs),
        ],
        env={
            "HOME": str(Path.home()), "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
            "XDG_RUNTIME_DIR": str(run_directory),
        },
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{(directory / 'log').read_text()[-3000:]}"
    lines = done.stdout.splitlines()
    assert lines[:2] == ["0", "status 5"]
    assert "RUNNING" in lines[2]
    assert lines[3] == "inside"
    assert lines[-1] == "0"


def test_podman_asks_and_changes(callers: Callers, directory: Path) -> None:
    """What people type at containers and pods that run."""
    options = ("--device", "/dev/null:/dev/mine", "--oom-score-adj", "500")
    script = "echo out; echo err >&2; trap 'exit 3' TERM; sleep 1000 & wait"
    callers(*RUN, "-d", "--name", "box", *options, "bb", "sh", "-c", script)
    script = "stat -c '%F %t:%T' /dev/mine; cat /proc/self/oom_score_adj"
    assert callers("podman", "exec", "box", "sh", "-c", script) == "character special file 1:3\n500\n"
    callers("podman", "exec", "-d", "box", "sleep", "77")
    (directory / "given").write_text("given\n")
    callers("podman", "cp", str(directory / "given"), "box:/tmp/given")
    assert callers("podman", "exec", "--workdir", "/tmp", "box", "cat", "given") == "given\n"
    assert "/tmp/given" in callers("podman", "diff", "box")
    assert callers("podman", "logs", "box") == "out\n"
    assert callers("podman", "inspect", "--format", "{{.OCIRuntime}}", "box") == "rootless-oci\n"
    refused = callers("podman", "update", "--memory", "64m", "box", status=125)
    assert "it has no cgroup" in refused
    assert "without" in callers("podman", "pause", "box", status=125).lower()
    callers("podman", "restart", "--time", "5", "box")
    callers("podman", "commit", "--quiet", "box", "made")
    callers("podman", "rename", "box", "other")
    callers("podman", "init", callers("podman", "create", "--name", "waits", *RUN[2:], "bb", "sleep", "1000").strip())
    callers("podman", "stop", "--time", "60", "waits")  # at once: its init heeds SIGTERM
    callers("podman", "rm", "waits")
    callers("podman", "rm", "--force", "--time", "0", "other")

    callers("podman", "pod", "create", "--name", "pod", "--infra-image", "localhost/bb", "--infra-command", "/bin/sleep 1000")
    callers("podman", "run", "-d", "--pod", "pod", "--name", "member", "--cgroups=disabled", "bb", "sleep", "1001")
    assert callers("podman", "exec", "member", "hostname") == "pod\n"
    assert callers("podman", "pod", "ps", "--format", "{{.Name}} {{.Status}} {{.NumberOfContainers}}") == "pod Running 2\n"
    for verb in (("stop", "--time", "0"), ("start",), ("rm", "--force", "--time", "0")):
        callers("podman", "pod", *verb, "pod")
