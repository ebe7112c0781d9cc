"""A push that is killed, or left alone by its registry, at each of its requests: the next one does all of the work."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.writable_registry import Handler, WritableRegistry

BLOCKS = (1, 8, 30)  # how much of a streamed layer has come when it is killed


@pytest.fixture(name="built")
def image_of_two_layers(rootless: Rootless, busybox_image: str, tmp_path: Path) -> str:
    """A small layer that was loaded, and one that has never been packed and goes up while it is."""
    (tmp_path / "noise").write_bytes(os.urandom(9_000_000))
    (tmp_path / "Dockerfile").write_text(f"FROM {busybox_image}\nCOPY noise /\n")
    rootless("build", "-q", "-t", "noise", tmp_path)
    return "noise"


def forget(rootless: Rootless) -> None:
    """What earlier pushes have noted, so that all is packed and sent again."""
    for path in rootless.root.glob("layers/*/blobs.json"):
        path.unlink()


def whole(server: WritableRegistry, repository: str) -> bool:
    """Whether what its tag names is there to the last byte."""
    if "latest" not in server.manifests.get(repository, {}):
        return False
    layers = server.document(repository)["layers"]
    return len(layers) == 2 and all(gzip.decompress(server.blobs[repository][one["digest"]]) for one in layers)


def gone() -> bool:
    return not [one for one in processes.descendants().values() if "push" in one.command.split()]


def killed_push(rootless: Rootless, server: WritableRegistry, repository: str, here: int | str) -> bool:
    """Push, and kill it when its request number `here` has come, or so much of the streamed layer; False where it
    ended before that."""
    count, reached = [0], threading.Event()
    lock = threading.Lock()
    running: list[subprocess.Popen[bytes]] = []
    started = threading.Event()

    def kill(handler: Handler) -> None:
        started.wait(30)
        running[0].send_signal(signal.SIGKILL)
        reached.set()
        handler.close_connection = True

    def before(handler: Handler) -> bool:
        with lock:
            count[0] += 1
            number = count[0]
        if isinstance(here, int):
            if number == here:
                kill(handler)
            return number == here
        if not handler.is_stream:
            return False
        held = server.uploads[handler.path.rpartition("/")[2]]
        blocks = handler.blocks()
        for _ in range(int(here)):
            held += next(blocks)
        kill(handler)
        return True

    server.before = before
    running.append(
        subprocess.Popen(
            [*rootless.argv, "push", "noise", f"{server.address}/{repository}"],
            env=rootless.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    )  # fmt: skip
    started.set()
    running[0].wait(60)
    server.before = lambda _: False
    processes.wait_until(gone, "the end of the push's workers")
    return reached.is_set()


def test_killed_at_each_of_its_requests(rootless: Rootless, built: str) -> None:
    """Nobody sees half an image, nothing is lost here, nothing half-packed stays."""
    before = {path.name for path in (rootless.root / "blobs/sha256").iterdir()}
    with WritableRegistry() as server:

        def killed(here: int | str, repository: str) -> bool:
            forget(rootless)
            if not killed_push(rootless, server, repository, here):
                assert whole(server, repository)
                return False
            assert not server.manifests.get(repository) or whole(server, repository)
            rootless("push", "-q", "noise", f"{server.address}/{repository}")
            assert whole(server, repository)
            assert os.listdir(rootless.root / "blobs/partial") == []
            return True

        requests = next(number for number in range(1, 40) if not killed(number, f"r{number}"))
        assert requests > 8
        for blocks in BLOCKS:
            assert killed(str(blocks), f"b{blocks}")
    assert {path.name for path in (rootless.root / "blobs/sha256").iterdir()} == before
    size = rootless("run", "--rm", "--network", "none", "noise", "wc", "-c", "/noise").stdout
    assert size.split()[0] == "9000000"


class Failing:
    """Fails once, at request number `at`: hangs up, or answers half a line, or 500."""

    def __init__(self, at: int, how: str) -> None:
        self._left, self._how = at, how
        self._lock = threading.Lock()

    @property
    def has_failed(self) -> bool:
        return self._left <= 0

    def __call__(self, handler: Handler) -> bool:
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return False
        if self._how == "500":
            handler.discard()
            handler.refuse(500, "UNKNOWN")
            return True
        if self._how == "half an answer":
            handler.wfile.write(b"HTTP/1.1 20")
        handler.close_connection = True
        return True


@pytest.mark.parametrize("how", ["close", "half an answer", "500"])
def test_a_registry_that_fails_once_at_each_request(rootless: Rootless, built: str, how: str) -> None:
    """Asked again it gets all."""
    with WritableRegistry() as server:
        for number in range(1, 40):
            forget(rootless)
            server.before = failing = Failing(number, how)
            rootless("push", "-q", "noise", f"{server.address}/s{number}")
            assert whole(server, f"s{number}")
            if not failing.has_failed:
                assert number > 8
                return
    raise AssertionError("it asks without end")
