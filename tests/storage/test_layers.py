"""Layers under kill -9, a full disk, several processes and a power cut."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import time

import pytest

from rootless.errors import Corrupt, NotFound, RootlessError
from rootless.linux import mount, namespace
from rootless.storage.drivers import rootfs
from rootless.storage.layers import layers
from rootless.storage.store import Store
from tests.storage import tars
from tests.storage.joined import Joined
from tests.storage.tars import archive, directory, file

LAYER = archive(
    *(directory(f"d{number}", uid=number) for number in range(20)),
    *(file(f"d{number % 20}/f{number}", b"x" * number * 50, uid=number % 7) for number in range(600)),
)
DIFF_ID = tars.diff_id(LAYER)


class Slow(io.RawIOBase):
    """A stream that takes its time."""

    def __init__(self, data: bytes, pause_s: float = 0.001, piece: int = 4096) -> None:
        self._data, self._pause_s, self._piece = io.BytesIO(data), pause_s, piece

    def read(self, size: int = -1) -> bytes:
        time.sleep(self._pause_s)
        return self._data.read(min(size, self._piece))


def test_is_there_once(store: Store, joined: Joined) -> None:
    def run() -> None:
        assert not layers.has(store, DIFF_ID)
        first = layers.unpack(store, DIFF_ID, io.BytesIO(LAYER))
        again = layers.unpack(store, DIFF_ID, io.BytesIO(b"never read"))
        assert (first.fresh, again.fresh) == (True, False)
        assert first[:5] == again[:5]
        assert layers.has(store, DIFF_ID)
        assert layers.list_layers(store) == [DIFF_ID]
        assert layers.size(store, DIFF_ID) == sum(number * 50 for number in range(600))
        layers.remove(store, DIFF_ID)
        layers.remove(store, DIFF_ID)
        assert os.listdir(store.layers) == []

    joined(run)


def test_an_iterator_of_bytes_will_do(store: Store, joined: Joined) -> None:
    def run() -> None:
        pieces = (LAYER[at : at + 777] for at in range(0, len(LAYER), 777))
        assert layers.unpack(store, DIFF_ID, pieces).entries == 620

    joined(run)


def test_an_error_of_the_source_is_the_callers(store: Store, joined: Joined) -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise ConnectionResetError(errno.ECONNRESET, "gone")

    def run() -> None:
        with pytest.raises(ConnectionResetError):
            layers.unpack(store, DIFF_ID, Broken())
        assert os.listdir(store.layers) == []

    joined(run)


def test_several_processes_unpack_one_layer_once(store: Store, joined: Joined) -> None:
    def run() -> None:
        reader, writer = os.pipe()
        pids = []
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                answer = b"!"
                try:
                    answer = b"f" if layers.unpack(store, DIFF_ID, Slow(LAYER)).fresh else b"-"
                finally:
                    os.write(writer, answer)
                    os._exit(0)
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)
        assert sorted(os.read(reader, 100)) == sorted(b"f----")
        assert os.listdir(store.layers) == [DIFF_ID[7:]]

    joined(run)


def test_killed_while_unpacking_and_removing(store: Store, joined: Joined) -> None:
    def run() -> None:
        os.makedirs(store.layers)  # a slow machine kills the first before it has made it
        for round_number in range(25):
            pid = os.fork()
            if pid == 0:
                try:
                    while True:
                        layers.unpack(store, DIFF_ID, Slow(LAYER, 0.0002))
                        layers.remove(store, DIFF_ID)
                finally:
                    os._exit(9)
            time.sleep(0.02 + 0.013 * round_number)
            os.kill(pid, signal.SIGKILL)
            assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
            layers.sweep(store)
            left = [entry for entry in os.listdir(store.layers) if not entry.startswith(".lock-")]
            assert left in ([], [DIFF_ID[7:]])
            if left:
                assert sum(len(files) for _, _, files in os.walk(layers.path(store, DIFF_ID))) == 600
        assert layers.unpack(store, DIFF_ID, io.BytesIO(LAYER)).entries == 620

    joined(run)


class Telling(Slow):
    """Closes a descriptor when it is first read: by then the unpack has locked its directory."""

    def __init__(self, data: bytes, descriptor: int) -> None:
        super().__init__(data)
        self._descriptor = descriptor

    def read(self, size: int = -1) -> bytes:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        return super().read(size)


def test_sweeping_spares_an_unpack_under_way(store: Store, joined: Joined) -> None:
    """Before its lock the directory is empty, and a sweep may take it: the unpack makes another."""

    def run() -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        pid = os.fork()
        if pid == 0:
            try:
                layers.unpack(store, DIFF_ID, Telling(LAYER, writer))
            finally:
                os._exit(0)
        os.close(writer)
        locked = False
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            swept = layers.sweep(store)
            assert not locked or swept == []
            with contextlib.suppress(BlockingIOError):
                locked = os.read(reader, 1) == b""
            time.sleep(0.002)
        os.close(reader)
        assert locked
        assert layers.has(store, DIFF_ID)

    joined(run)


def test_full_disk(store: Store, joined: Joined) -> None:
    def run() -> None:
        os.makedirs(store.root)
        namespace.unshare(namespace.CLONE_NEWNS)
        mount.mount("tmpfs", store.root, "tmpfs", 0, "size=2m")
        small = Store(store.root, store.runtime)
        with pytest.raises(RootlessError, match=r"no space left on|larger than"):
            layers.unpack(small, DIFF_ID, io.BytesIO(LAYER))
        assert os.listdir(small.layers) == []
        few = archive(file("a", b"x" * 1000))
        assert layers.unpack(small, tars.diff_id(few), io.BytesIO(few)).size == 1000

    joined(run)


def test_after_a_power_cut_an_unsettled_layer_is_made_again(store: Store, joined: Joined) -> None:
    def run() -> None:
        layer = layers.directory(store, DIFF_ID)
        layers.unpack(store, DIFF_ID, io.BytesIO(LAYER))
        mark = layer + "/settled"
        os.unlink(mark)
        os.symlink("the boot before", mark)
        assert not layers.has(store, DIFF_ID)
        os.mkdir(store.root + "/c")
        with pytest.raises(Corrupt, match="before the machine went down"):
            rootfs.prepare(store, store.root + "/c", [DIFF_ID], driver="overlay")
        assert layers.sync(store) == 0
        assert layers.unpack(store, DIFF_ID, io.BytesIO(LAYER)).fresh
        assert layers.sync(store) == 1
        assert os.readlink(mark) == "yes"
        os.unlink(mark)
        assert not layers.has(store, DIFF_ID)
        assert layers.unpack(store, DIFF_ID, io.BytesIO(LAYER)).fresh
        assert layers.has(store, DIFF_ID)
        layers.remove(store, DIFF_ID)
        with pytest.raises(NotFound):
            rootfs.prepare(store, store.root + "/c", [DIFF_ID], driver="overlay")

    joined(run)


def test_what_the_store_inherits_does_not_spread(store: Store, joined: Joined) -> None:
    """A set-group-ID store directory (shared group folders) must not give its group to images' files."""

    def run() -> None:
        os.makedirs(store.layers)
        os.chown(store.layers, 0, 7)
        os.chmod(store.layers, 0o2775)
        data = archive(directory("d", mode=0o755), file("d/f", b"x"), file("top", b"x"))
        top = layers.unpack(store, tars.diff_id(data), io.BytesIO(data)).path
        for name in ("", "/d", "/d/f", "/top"):
            status = os.stat(top + name)
            assert status.st_gid == 0
            assert not status.st_mode & 0o2000

    joined(run)
