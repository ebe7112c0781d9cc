"""What the cases share: ourselves and the peers, each with a store of its own and the same busybox."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from benchmarks.measure import Contender, command
from tests.harness import images, leaks
from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.harness.trees import remove_tree

IMAGE = "busybox:latest"


class World:
    """A context: everything that a case needs is there inside it and gone after it.

    `podman`, `runc` and `bwrap` are None where the peer is not installed.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> World:
        self.directory = self._temporary("/var/tmp")
        archive = images.busybox_archive(Path.home() / ".cache/rootless-tests")
        self.rootfs = self._unpack(archive)
        before = leaks.snapshot()
        self.rootless = Rootless(self._temporary("/var/tmp"), self._temporary("/tmp"))
        self._stack.callback(leaks.sweep, before)
        self.rootless("load", "-i", archive)
        self.podman: Podman | None = None
        if shutil.which("podman") and shutil.which("runc"):
            self.podman = self._stack.enter_context(Podman())
            self.podman("load", "-i", archive)
        self.runc = shutil.which("runc")
        self.bwrap = shutil.which("bwrap")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def ours(self, *args: str) -> Contender:
        """Ourselves, running `rootless ARGS`."""
        return Contender("rootless", command([*self.rootless.argv, *args], self.rootless.environment))

    def pair(self, *args: str) -> list[Contender]:
        """Ourselves and Podman, where it is installed, running the same words."""
        contenders = [self.ours(*args)]
        if self.podman:
            contenders.append(Contender("podman", command(self.podman.argv(*args), self.podman.environment)))
        return contenders

    def both(self, *args: str) -> None:
        """Run the same words with ourselves and Podman, untimed."""
        self.rootless(*args, timeout=600)
        if self.podman:
            self.podman(*args, timeout=600)

    def runc_bundle(self, *command_line: str) -> Path:
        """An OCI bundle for runc as this user, on the busybox root."""
        bundle = Path(tempfile.mkdtemp(dir=self.directory))
        subprocess.run(["runc", "spec", "--rootless"], cwd=bundle, check=True)
        spec = json.loads((bundle / "config.json").read_text())
        spec["process"]["terminal"] = False
        spec["process"]["args"] = list(command_line)
        spec["root"] = {"path": str(self.rootfs), "readonly": True}
        (bundle / "config.json").write_text(json.dumps(spec))
        return bundle

    def _temporary(self, parent: str) -> Path:
        path = Path(tempfile.mkdtemp(prefix="rl-", dir=parent))
        self._stack.callback(remove_tree, path)
        return path

    def _unpack(self, archive: Path) -> Path:
        """The busybox root as a plain directory, for the peers that know no images."""
        target = self.directory / "rootfs"
        with tarfile.open(archive) as outer:
            member = next(name for name in outer.getnames() if name.endswith("/layer.tar"))
            layer = outer.extractfile(member)
            assert layer is not None
            with tarfile.open(fileobj=layer) as inner:
                inner.extractall(target)
        return target


def bare_python() -> Callable[[], None]:
    """The interpreter alone: what no Python program can be faster than."""
    return command([sys.executable, "-I", "-c", "pass"], {"PATH": "/usr/bin:/bin"})
