"""Bundles on a busybox root, and runtimes that run them: ours, runc, crun."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness import processes
from tests.harness.account import SYSTEM_PATH
from tests.need import need, without_range

REPOSITORY = Path(__file__).resolve().parents[2]
APPLETS = (
    "sh ls cat ps true false id hostname mount sleep stat echo env pwd tty touch readlink kill head "
    "grep wc mkdir date sort ulimit cut tr chmod test umask nice mknod seq"
).split()
SAFE = ["nosuid", "noexec", "nodev"]


def installed(directory: Path) -> Path:
    """`rootless-oci` as one executable file: the installed one, or a script that runs the checkout."""
    beside = Path(sys.executable).with_name("rootless-oci")
    if os.access(beside, os.X_OK):
        return beside
    path = directory / "rootless-oci"
    path.write_text(
        # The launcher's part: 0 is open.
        "#!/bin/sh\n{ : <&0; } 2>/dev/null || exec </dev/null\n"
        f'PYTHONPATH={REPOSITORY} PYTHONDONTWRITEBYTECODE=1 exec {sys.executable} -m rootless.oci.main "$@"\n'
    )
    path.chmod(0o755)
    return path


def make_rootfs(path: Path) -> Path:
    """A busybox root file system."""
    need(Path("/bin/busybox").exists(), "busybox-static is not installed")
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "data"):
        (path / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", path / "bin/busybox")
    for applet in APPLETS:
        (path / "bin" / applet).symlink_to("busybox")
    (path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (path / "data/kept").write_text("kept\n")
    return path


def rootless_spec(*args: str) -> dict[str, Any]:
    """What `runc spec --rootless` writes, less the terminal: one id, the host's network."""
    capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": list(args),
            "env": ["PATH=/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
            },
            {
                "destination": "/dev/shm",
                "type": "tmpfs",
                "source": "shm",
                "options": [*SAFE, "mode=1777", "size=65536k"],
            },
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": list(SAFE)},
        ],
        "linux": {
            "uidMappings": [{"containerID": 0, "hostID": os.getuid(), "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": os.getgid(), "size": 1}],
            "namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "mount", "user")],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


class Runtime:
    """One runtime command with a state directory of its own, and one bundle to run."""

    def __init__(self, program: Path, directory: Path, rootfs: Path) -> None:
        self.program = program
        self.bundle = directory / f"bundle-{program.name}"
        self.state = directory / f"state-{program.name}"
        self.bundle.mkdir()
        (self.bundle / "rootfs").symlink_to(rootfs)
        self.rootfs = rootfs
        self.spec = rootless_spec("true")

    def write(self) -> None:
        """Write config.json; the root is named by its real path."""
        if self.spec.get("root", {}).get("path") == "rootfs":
            self.spec["root"]["path"] = str(self.rootfs)
        (self.bundle / "config.json").write_text(json.dumps(self.spec))

    def __call__(
        self,
        *args: str,
        status: int | None = 0,
        timeout: float = 30,
        more: dict[str, str] | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command, with `more` in its environment; its status is checked unless it is None."""
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, **options}
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(self.program), "--root", str(self.state), *args],
            env={
                "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
                "HOME": str(Path.home()),
                **({} if without_range() else {"XDG_RUNTIME_DIR": str(self.bundle.parent)}),
                **(more or {}),
            },
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )
        if status is not None:
            assert done.returncode == status, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *command: str, status: int | None = 0, **options: Any) -> str:
        """The output of a command in a new container."""
        if command:
            self.spec["process"]["args"] = list(command)
        self.write()
        done = self("run", "--bundle", str(self.bundle), "c", status=status, **options)
        return done.stdout if status == 0 else done.stdout + done.stderr

    def create(self, *command: str, name: str = "c") -> int:
        """Create a container that waits; its pid. Its streams are /dev/null."""
        if command:
            self.spec["process"]["args"] = list(command)
        self.write()
        pid_file = self.bundle / "pid"
        # A file: a pipe would be the container's too, and have no end while it lives.
        with (self.bundle / "stderr").open("w+") as stderr:
            done = subprocess.run(
                [str(self.program), "--root", str(self.state), "create", "--bundle", str(self.bundle),
                 "--pid-file", str(pid_file), name],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, timeout=30, check=False,
            )  # fmt: skip
        assert done.returncode == 0, (self.bundle / "stderr").read_text()
        return int(pid_file.read_text())

    def document(self, name: str = "c") -> dict[str, Any]:
        """`state`."""
        found: dict[str, Any] = json.loads(self("state", name).stdout)
        return found

    def record(self) -> dict[str, bytes | None]:
        """Everything below --root: the bytes of each file, None for what is none."""
        found = sorted(self.state.rglob("*")) if self.state.exists() else []
        return {
            str(path.relative_to(self.state)): path.read_bytes() if path.is_file() else None for path in found
        }

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """What is refused in here leaves --root as it was, byte for byte, and no new process."""
        record, before = self.record(), processes.descendants()
        yield
        assert self.record() == record
        # What was there may end meanwhile: a helper of the test before, for one.
        processes.wait_until(lambda: processes.descendants().keys() <= before.keys(), "no process is left")

    def clean(self) -> None:
        """Delete what is left."""
        if not self.state.exists():
            return
        for entry in self.state.iterdir():
            if not entry.name.startswith("."):
                with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                    pid = self.document(entry.name).get("pid", 0)
                    self("delete", "--force", entry.name, status=None)
                    if pid:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
