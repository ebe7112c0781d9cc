"""`system reset`: what was ours is gone, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootless.runtime.squashfs import serve
from tests.harness import leaks, processes
from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.system.test_image_files import image_file


@pytest.mark.own_store
def test_everything_is_gone(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "up", "--network", "none", busybox_image, "sleep", "1000")
    rootless("run", "--name", "ended", "--network", "none", "-v", "data:/data", busybox_image, "touch", "/data/file")
    rootless("build", "-q", "-t", "built", "-", stdin="FROM busybox\nRUN touch /file\n")
    strange = rootless.root / "mine.txt"
    strange.write_text("a user's own")
    rootless("system", "reset", "--force")
    assert [path.name for path in rootless.root.iterdir()] == ["mine.txt"]
    strange.unlink()
    rootless("system", "reset", "--force")
    assert not rootless.root.exists()


@pytest.mark.own_store
def test_what_serves_containers_ends_with_the_session(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """The network helper and the mount of an image file wait for the next container, and kept the session alive when they ended."""
    image = image_file(tmp_path)
    before = leaks.snapshot().processes
    rootless("network", "create", "net")
    rootless("run", "--rm", "--network", "none", image, "id")
    rootless("run", "--rm", "--network", "net", busybox_image, "true")
    serving = processes.descendants().keys() - before
    assert len(serving) >= 5, "netd and who repairs its uplink, the uplink, the mount and its server"
    rootless("system", "reset", "--force")
    wait_until(lambda: not serving & processes.descendants().keys(), "the end of the session", timeout_s=serve.IDLE_S / 2)


def of_another_root(rootless: Rootless, place: Path) -> Rootless:
    other = Rootless(place, rootless.runtime)
    other.argv = rootless.argv
    return other


@pytest.mark.own_store
def test_the_containers_of_another_root_keep_their_session(
    rootless: Rootless, busybox_image: str, tmp_path: Path
) -> None:
    rootless("run", "-d", "--name", "up", "--network", "none", busybox_image, "sleep", "1000")
    other = of_another_root(rootless, tmp_path / "other")
    other("volume", "create", "kept")
    other("system", "reset", "--force")
    assert not other.root.exists()
    assert rootless("cp", "up:/etc/passwd", "-").raw
    assert rootless("run", "--rm", "--network", "container:up", busybox_image, "echo", "joined").stdout == "joined\n"
    waiting = rootless.start("wait", "up")
    rootless("stop", "-t", "0", "up")
    assert waiting.communicate(timeout=30)[0] == b"137\n"
    holders = session_processes()
    rootless("system", "reset", "--force")
    assert holders
    wait_until(lambda: not holders & session_processes(), "the end of the session")


def session_processes() -> set[int]:
    """Pids of this account's holders of sessions."""
    found = set()
    own = f"\nUid:\t{os.getuid()}\t"
    for entry in Path("/proc").iterdir():
        try:
            # A zombie has no command line.
            if not entry.name.isdecimal() or not (entry / "cmdline").read_bytes().startswith(b"rootless: session"):
                continue
            if own in (entry / "status").read_text():
                found.add(int(entry.name))
        except OSError:
            continue
    return found
