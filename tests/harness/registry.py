"""Debian's docker-registry on a free loopback port."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.need import need_program

CONFIGURATION = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {directory}/data}}
  delete: {{enabled: true}}
http:
  addr: {address}
  secret: only-for-tests
{extra}
"""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Registry:
    """A running registry; `extra` is more of its YAML (auth, tls), `address` is "127.0.0.1:PORT"."""

    def __init__(self, directory: Path, *, extra: str = "") -> None:
        self.program = need_program("docker-registry")
        self.directory = directory
        self.extra = extra
        self.address = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Registry:
        self.address = f"127.0.0.1:{free_port()}"
        text = CONFIGURATION.format(directory=self.directory, address=self.address, extra=self.extra)
        file = self.directory / "config.yml"
        file.write_text(text)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "serve", str(file)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
            )  # fmt: skip
        self._await()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it; a second time does nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def log(self) -> str:
        """What the registry has written so far."""
        return (self.directory / "log").read_text(errors="replace")

    def _await(self) -> None:
        host, _, port = self.address.partition(":")
        deadline = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection((host, int(port)), timeout=1) as found:
                    # A port that nobody listens on may answer too: TCP connects a socket to itself.
                    if found.getsockname() != found.getpeername():
                        return
                raise ConnectionRefusedError(host)
            except OSError:
                gone = self._process is None or self._process.poll() is not None
                assert not gone, f"docker-registry ended:\n{self.log}"
                assert time.monotonic() < deadline, f"docker-registry does not listen:\n{self.log}"
                time.sleep(0.05)
