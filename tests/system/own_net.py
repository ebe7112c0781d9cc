"""`net`: containers with real servers and clients in them, on a host of the test's own (tests/harness/own_host.py)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.harness.command import Rootless
from tests.harness.own_host import OwnHost, own_host
from tests.need import need
from tests.system.test_hub_networks import Hub

LIMIT = pytest.mark.timeout(300, func_only=True)
"""Of the tests here: the first one makes the image, if there is none."""


class Net(Hub):
    def __init__(self, rootless: Rootless, image: str, host: OwnHost) -> None:
        super().__init__(rootless, image)
        self.host = host

    def sh(self, name: str, script: str, *words: str, status: int | None = 0) -> str:
        """What a script of bash(1) prints in the container; it ends at the first command that fails."""
        return self.rootless("exec", name, "bash", "-euo", "pipefail", "-c", script, "bash", *words, status=status).stdout


@pytest.fixture
def net(rootless: Rootless, tools_image: str) -> Iterator[Net]:
    need(bool(shutil.which("slirp4netns")), "slirp4netns is not installed")
    with own_host(rootless) as host:
        yield Net(rootless, tools_image, host)


def asked(host: OwnHost, source: str, url: str) -> str:
    """What curl on the internet is told, from this address."""
    return host.run("curl", "-sSg", "--noproxy", "*", "--interface", source, url, where=host.outside).strip()


def asked_udp(host: OwnHost, source: str, address: str, port: int) -> str:
    family = "UDP6" if ":" in address else "UDP4"
    there = f"[{address}]" if ":" in address else address
    bind = f"[{source}]" if ":" in source else source
    return host.run("socat", "-T5", "-", f"{family}:{there}:{port},bind={bind}", where=host.outside, stdin="x\n").strip()
