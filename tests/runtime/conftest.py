"""Containers on a busybox root, started by the runtime alone: no engine, no store, no image."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rootless.runtime.mounts.masks import MASKED_PATHS, READONLY_PATHS
from rootless.runtime.process.capabilities import DEFAULT_CAPABILITIES
from rootless.runtime.seccomp import profile
from tests.harness import account
from tests.harness.account import User
from tests.harness.importing import PYTHON_PATH
from tests.harness.trees import remove_tree
from tests.need import need, without_range

APPLETS = "sh ls cat ps true false id hostname mount sleep stat echo env pwd tty touch readlink kill head grep wc".split()


def default_spec(*args: str) -> dict[str, Any]:
    """Docker's defaults for one command."""
    capabilities = list(DEFAULT_CAPABILITIES)
    safe = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.2.0",
        "hostname": "box",
        "process": {
            "args": list(args),
            "env": ["PATH=/bin"],
            "cwd": "/",
            "user": {"uid": 0, "gid": 0},
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "options": safe},
            {"destination": "/dev", "type": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
            {"destination": "/sys", "type": "sysfs", "options": [*safe, "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "options": [*safe, "ro"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "options": safe},
            {"destination": "/dev/shm", "type": "tmpfs", "options": [*safe, "mode=1777", "size=64m"]},
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": list(MASKED_PATHS),
            "readonlyPaths": list(READONLY_PATHS),
            "seccomp": profile.DEFAULT,
        },
    }


class Box:
    """One container's directories, and the ways to use them."""

    def __init__(self, directory: Path) -> None:
        self.home = directory
        self.layer = directory / "layer"
        self.directory = directory / "containers" / "c"
        self.run_dir = directory / "run"
        self.spec = default_spec("true")
        self.started: list[int] = []
        for path in (self.layer / "bin", self.layer / "etc", self.run_dir):
            path.mkdir(parents=True)
        for name in ("upper", "work", "merged"):
            (self.directory / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.layer / "bin/busybox")
        for applet in APPLETS:
            (self.layer / "bin" / applet).symlink_to("busybox")

    def ask(self, verb: str, **request: Any) -> dict[str, Any]:
        """The driver's answer."""
        full = {
            "verb": verb,
            "spec": self.spec,
            "directory": str(self.directory),
            "run": str(self.run_dir),
            "layer": str(self.layer),
            **request,
        }
        env = {**os.environ, "PYTHONPATH": PYTHON_PATH, "ROOTLESS_ROOT": str(self.home)}
        env["XDG_RUNTIME_DIR"] = str(self.home / "runtime")
        result = subprocess.run(
            [sys.executable, "-m", "tests.runtime.driver"],
            input=json.dumps(full),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd="/",  # not the checkout: Python looks there first
            env=env,
        )
        assert result.returncode == 0, result.stderr
        answer: dict[str, Any] = json.loads(result.stdout)
        if request.get("background"):
            self.started.append(answer["monitor_pid"])
        return answer

    def run(self, *args: str, **request: Any) -> dict[str, Any]:
        """Run a command in a container of this box's spec."""
        if args:
            self.spec["process"]["args"] = list(args)
        return self.ask("run", **request)

    def shell(self, script: str, **request: Any) -> str:
        """The output of a shell script, which must succeed."""
        answer = self.run("sh", "-c", script, **request)
        assert answer.get("status") == 0, answer
        return str(answer["stdout"])

    def exec(self, pid: int, *args: str, **request: Any) -> dict[str, Any]:
        """Run a command in a running container."""
        process = {**self.spec["process"], "args": list(args), **request.pop("process", {})}
        return self.ask(
            "exec", pid=pid, process=process, seccomp=self.spec["linux"].get("seccomp"), **request
        )

    def stop(self) -> None:
        """Kill what was started in the background, by its monitor."""
        for pid in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def gone(pid: int, *, timeout_s: float = 60) -> bool:
    """Whether the process ends (a zombie counts) within the time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def box(user: User) -> Iterator[Box]:
    """A fresh container's worth of directories, on a disk, with a session of its own."""
    need(account.has_subordinate_ids(user) or without_range(), f"{user.name} has no subordinate ids, or newuidmap is missing")
    need(Path("/bin/busybox").exists(), "busybox-static is not installed")
    directory = Path(tempfile.mkdtemp(prefix="rl-rt-", dir="/var/tmp"))
    (directory / "runtime").mkdir(mode=0o700)
    box = Box(directory)
    yield box
    box.stop()
    _end_session(directory)
    remove_tree(directory)


def _end_session(directory: Path) -> None:
    env = {**os.environ, "PYTHONPATH": PYTHON_PATH, "ROOTLESS_ROOT": str(directory)}
    env["XDG_RUNTIME_DIR"] = str(directory / "runtime")
    code = "from rootless.session import session; session.stop()"
    subprocess.run([sys.executable, "-c", code], env=env, timeout=30, check=True)
