"""Podman as the same ordinary user: runc, overlay, cgroupfs, and a store of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.harness.account import SYSTEM_PATH
from tests.harness.trees import remove_tree
from tests.need import need, need_program

STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{directory}/data/containers/storage"
runroot = "{run}"
"""
POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'
REGISTRIES = 'unqualified-search-registries = []\n[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n'


class Podman:
    """`podman("pull", name)` runs Podman; `tool("skopeo", ...)` a program of its family, alike."""

    def __init__(self) -> None:
        self.program = need_program("podman")
        need_program("runc")
        self.directory = Path(tempfile.mkdtemp(prefix="rl-podman-", dir="/var/tmp"))
        self.runtime = Path(tempfile.mkdtemp(prefix="rl-podman-", dir="/tmp"))
        self.temporary.mkdir()
        configuration = self.directory / "config/containers"
        configuration.mkdir(parents=True)
        (configuration / "storage.conf").write_text(
            STORAGE.format(directory=self.directory, run=self.runtime)
        )
        (configuration / "policy.json").write_text(POLICY)
        (configuration / "registries.conf").write_text(REGISTRIES)

    @property
    def temporary(self) -> Path:
        """Where it has its temporary files, and buildah its cache mounts, which all users would share in /var/tmp."""
        return self.directory / "tmp"

    @property
    def environment(self) -> dict[str, str]:
        """XDG directories of its own, so that no store of this account is touched."""
        return {
            "HOME": str(Path.home()),
            "USER": os.environ.get("USER", ""),
            "PATH": SYSTEM_PATH,
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.temporary),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "XDG_DATA_HOME": str(self.directory / "data"),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "config/containers/storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.directory / "config/containers/registries.conf"),
        }

    def argv(self, *args: str | Path) -> list[str]:
        """The whole command line of `podman ARGS`."""
        return [
            self.program, "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
            *map(str, args),
        ]  # fmt: skip

    def __call__(self, *args: str | Path, timeout: float = 120, **options: Any) -> str:
        """Run Podman; its stdout. A failure is an AssertionError with its stderr."""
        return self._run(self.argv(*args), timeout=timeout, **options)

    def output(self, *words: str | Path) -> str:
        """What a container writes to stdout: `podman run --rm WORDS`, by its log. What `run` itself shows lacks, once in a thousand times
        on a busy machine, what a short command has written before conmon has taken the connection of who attaches."""
        name = f"output-{uuid.uuid4().hex[:8]}"
        try:
            self("run", "--name", name, "--log-driver", "k8s-file", *words)
            return self("logs", name)
        finally:
            self("rm", "--force", "--ignore", "--time", "0", name)

    def tool(self, name: str, *args: str | Path, timeout: float = 120, **options: Any) -> str:
        """Run buildah, skopeo or umoci as the same user with the same store."""
        return self._run([need_program(name), *map(str, args)], timeout=timeout, **options)

    def _run(self, argv: list[str], *, timeout: float, **options: Any) -> str:
        done = subprocess.run(
            argv, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout, check=False, **options,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return str(done.stdout)

    def __enter__(self) -> Podman:
        works = subprocess.run(
            self.argv("info"), env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        need(works.returncode == 0, f"podman does not work here: {works.stderr.strip()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(
            self.argv("rm", "--all", "--force", "--time", "0"),
            env=self.environment, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        # Its pause process keeps the mounts of its namespace, and so the directories, busy.
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.runtime / "libpod/tmp/pause.pid").read_text()), signal.SIGKILL)
        remove_tree(self.directory)
        remove_tree(self.runtime)
