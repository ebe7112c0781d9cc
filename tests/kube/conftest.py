"""`kube`: a Kubernetes file of a test, played and taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Result, Rootless


class Kube:
    """`kube.file(text)` writes app.yaml; `kube("play")` runs `rootless kube play app.yaml`."""

    def __init__(self, rootless: Rootless, path: Path) -> None:
        self.rootless, self.path = rootless, path

    def file(self, text: str) -> None:
        """Write the file."""
        self.path.write_text(text)

    def __call__(self, verb: str, *words: str, status: int | None = 0, warns: bool = False) -> Result:
        return self.rootless("kube", verb, *words, self.path, status=status, warns=warns)

    def execute(self, name: str, *command: str, status: int = 0) -> str:
        """What a command in a container says."""
        return self.rootless("exec", name, *command, status=status).stdout


@pytest.fixture
def kube(rootless: Rootless, busybox_image: str, tmp_path: Path) -> Iterator[Kube]:
    """A file in a directory of its own, in a store that has busybox; pods and volumes are gone afterwards."""
    yield Kube(rootless, tmp_path / "app.yaml")
    rootless("pod", "rm", "-af", "-t", "0", status=None)
    volumes = rootless("volume", "ls", "-q").lines
    if volumes:
        rootless("volume", "rm", *volumes, status=None)
