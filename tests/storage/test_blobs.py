"""Blobs: verified, resumable, there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import signal
import time

import pytest

from rootless.errors import Conflict, Corrupt, InvalidInput, NotFound
from rootless.storage import blobs
from rootless.storage.maintenance import gc
from rootless.storage.store import Store

DATA = os.urandom(300_000)
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()


def test_written_and_read(store: Store) -> None:
    assert not blobs.has(store, DIGEST)
    with blobs.writer(store, DIGEST, len(DATA)) as out:
        out.write(DATA)
        assert out.commit() == blobs.path(store, DIGEST)
    assert blobs.has(store, DIGEST)
    assert blobs.has(store, DIGEST, len(DATA))
    assert not blobs.has(store, DIGEST, 5)
    assert blobs.read(store, DIGEST) == DATA
    assert list(blobs.digests(store)) == [DIGEST]
    assert os.listdir(store.blobs + "/partial") == []
    blobs.remove(store, DIGEST)
    blobs.remove(store, DIGEST)
    with pytest.raises(NotFound):
        blobs.read(store, DIGEST)


def test_resumed(store: Store) -> None:
    with blobs.writer(store, DIGEST, len(DATA)) as out:
        out.write(DATA[:1000])
    with blobs.writer(store, DIGEST, len(DATA)) as out:
        assert out.offset == 1000
        with pytest.raises(Corrupt, match="cut short"):
            out.commit()
    with blobs.writer(store, DIGEST, len(DATA)) as out:
        out.write(DATA[out.offset :])
        out.commit()
    assert blobs.read(store, DIGEST) == DATA


def test_damaged_contents_are_dropped_and_named(store: Store) -> None:
    with blobs.writer(store, DIGEST, len(DATA)) as out:
        out.write(b"x" + DATA[1:])
        with pytest.raises(Corrupt, match=DIGEST):
            out.commit()
    with blobs.writer(store, DIGEST, len(DATA)) as out:
        assert out.offset == 0
        with pytest.raises(Corrupt, match="longer"):
            out.write(DATA + b"x")
    assert not blobs.has(store, DIGEST)


def test_damage_on_disk_is_noticed(store: Store) -> None:
    blobs.add_bytes(store, DATA)
    with open(blobs.path(store, DIGEST), "r+b") as file:
        file.write(b"damage")
    with pytest.raises(Corrupt):
        blobs.read(store, DIGEST)


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:../../x", "sha256:" + "A" * 64, "md5:" + "0" * 32, DIGEST + "\n"]
)
def test_bad_digests(store: Store, digest: str) -> None:
    with pytest.raises(InvalidInput):
        blobs.path(store, digest)


def test_one_writer_at_a_time(store: Store) -> None:
    with blobs.writer(store, DIGEST) as out:
        with pytest.raises(Conflict):
            blobs.writer(store, DIGEST)
        pid = os.fork()
        if pid == 0:
            os.closerange(3, 100)
            os._exit(0 if blobs.wait(store, DIGEST) else 1)
        out.write(DATA)
        out.commit()
    assert os.waitpid(pid, 0)[1] == 0


def test_another_machine_wrote_it_to_its_end(store: Store) -> None:
    """Whose locks are not seen here."""
    with blobs.writer(store, DIGEST, len(DATA)) as out:
        out.write(DATA)
        os.makedirs(os.path.dirname(blobs.path(store, DIGEST)))
        os.rename(blobs.partial_path(store, DIGEST), blobs.path(store, DIGEST))
        out.commit()
    assert blobs.read(store, DIGEST) == DATA


def test_another_machines_download_is_not_garbage(store: Store) -> None:
    shared = store._replace(shared=store.root + "/shared")
    with blobs.writer(shared, DIGEST, len(DATA)) as out:
        out.write(DATA[:1000])
    partial = blobs.partial_path(shared, DIGEST)
    gc.collect(shared)
    assert os.path.getsize(partial) == 1000
    os.utime(partial, (0, 0))
    gc.collect(shared)
    assert not os.path.exists(partial)


def test_killed_while_writing(store: Store) -> None:
    for round_number in range(10):
        pid = os.fork()
        if pid == 0:
            try:
                with blobs.writer(store, DIGEST, len(DATA)) as out:
                    while out.offset < len(DATA):
                        out.write(DATA[out.offset : out.offset + 997])
                    out.commit()
                while True:
                    blobs.remove(store, DIGEST)
                    blobs.add_bytes(store, DATA)
            finally:
                os._exit(9)
        time.sleep(0.003 + 0.002 * round_number)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if blobs.has(store, DIGEST):
            assert blobs.read(store, DIGEST) == DATA
            blobs.remove(store, DIGEST)
