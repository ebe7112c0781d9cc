"""A compose project of a test: its files in a directory, `rootless compose` in it, all of it gone at the end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.harness.command import Result, Rootless


class Compose:
    """`compose.file(text)` writes compose.yaml; `compose("up", "-d")` runs the command in its directory, called `demo`."""

    def __init__(self, rootless: Rootless, directory: Path) -> None:
        self.rootless, self.directory = rootless, directory
        self.environment: dict[str, str] = {}

    def file(self, text: str, name: str = "compose.yaml") -> Path:
        """Write a file of the project."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def __call__(self, *words: str | Path, **options: Any) -> Result:
        """Run `rootless compose WORDS`; what a step says of itself is on stderr."""
        environment = {**self.environment, **(options.pop("env", None) or {})}
        return self.rootless("compose", *words, cwd=self.directory, env=environment, **options)

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start it and do not wait."""
        return self.rootless.start("compose", *words, cwd=self.directory, env=self.environment)

    def up(self, text: str, *words: str, **options: Any) -> Result:
        """The file, up in the background."""
        self.file(text)
        return self("up", "-d", "-t", "0", *words, **options)

    def rows(self, *words: str) -> dict[str, dict[str, Any]]:
        """What `ps --format json` tells of each container, by name."""
        found = [json.loads(line) for line in self("ps", "-a", "--format", "json", *words).lines]
        return {row["Name"]: row for row in found}

    def ids(self) -> dict[str, str]:
        """Container ids by name."""
        return {name: row["ID"] for name, row in self.rows().items()}

    def inspect(self, name: str) -> dict[str, Any]:
        """A container of it, inspected."""
        found: dict[str, Any] = json.loads(self.rootless("container", "inspect", name).stdout)[0]
        return found

    def execute(self, service: str, *command: str, status: int = 0) -> str:
        """What a command in the service's container says."""
        names = [name for name, row in self.rows().items() if row["Service"] == service and row["State"] == "running"]
        return self.rootless("exec", names[0], *command, status=status).stdout

    def close(self) -> None:
        """Take it all away."""
        self("-p", "demo", "down", "-v", "-t", "0", "--remove-orphans", status=None)
        left = self.rootless("ps", "-aq", "--filter", "label=com.docker.compose.project").lines
        if left:
            self.rootless("rm", "-fv", *left, status=None)
        for kind in ("network", "volume"):
            names = self.rootless(kind, "ls", "-q", "--filter", "label=com.docker.compose.project").lines
            if names:
                self.rootless(kind, "rm", *names, status=None)
