"""How many clients may wait for a container's start, and those of them that have died."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rootless.engine.lifecycle.attach.attachers import DIRECTORY, MOST
from rootless.engine.lifecycle.wait import Exit, Waiter
from rootless.storage.containers import containers
from rootless.storage.store import Store
from tests.harness.command import Rootless


def test_waiters_that_have_died_are_in_nobodys_way(rootless: Rootless, busybox_image: str) -> None:
    """Those that live notice nothing of the look at them."""
    store = Store(str(rootless.root), str(rootless.sockets))
    box = containers.find(store, rootless("create", "--network", "none", busybox_image, "sh", "-c", "exit 3").stdout.strip())
    with ThreadPoolExecutor() as background, Waiter(store, box, "next-exit") as first:
        found = background.submit(first.wait)
        directory, run_dir = Path(containers.directory(store, box), DIRECTORY), Path(store.run_directory(box))
        for number in range(MOST - 1):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
                dead.bind(str(run_dir / f"attacher-{number}"))
            (directory / str(number)).symlink_to(run_dir / f"attacher-{number}")
        with Waiter(store, box, "next-exit") as second:
            assert len(list(directory.iterdir())) == len(list(run_dir.glob("attacher-*"))) == 2
            rootless("start", "-a", box, status=3)
            assert second.wait() == found.result(60) == Exit(3)
    rootless("rm", box)
