"""What is kept of sources is counted, and goes with `builder prune`."""

from __future__ import annotations

import os
from pathlib import Path

from rootless.build.cache import fetched
from rootless.build.context import file_hashes, http, kept
from rootless.build.context.digest_table import DigestTable
from rootless.storage.store import Store
from tests.build.web import Answer, Web
from tests.storage.conftest import store as store


def test_downloads_and_tables(store: Store) -> None:
    os.makedirs(store.root, 0o700)
    with Web() as web:
        web.answers["/f"] = Answer(body=os.urandom(100_000))
        for number in range(2):
            http.download(store, web.url("/f"), f"{store.root}/got{number}")
        table = DigestTable(file_hashes.directory(store) + "/table")
        table.put(b"k" * 16, b"v" * 32)
        table.close()
        found = {one.kind: one for one in fetched.every(store)}
        assert set(found) == {"source.http", "source.local"}
        assert found["source.http"].size >= 100_000
        used = found["source.http"].used
        assert not fetched.remove(store, "source.http", found["source.http"].id, used_since=used)
        lock = kept.lock(f"{http.directory(store)}/{found['source.http'].id}")
        assert not fetched.remove(store, "source.http", found["source.http"].id, used_since=float("inf"))
        os.close(lock)
        for one in found.values():
            removed = [fetched.remove(store, one.kind, one.id, used_since=float("inf")) for _ in range(2)]
            assert removed == [True, False]
        assert fetched.every(store) == []
        # What was fetched for a build stays its own.
        assert Path(store.root, "got0").stat().st_size == 100_000
        http.download(store, web.url("/f"), f"{store.root}/got2")
        assert len(web.asked) == 3


def test_what_was_left_half_made_goes(store: Store) -> None:
    directory = Path(http.directory(store))
    (directory / ".rm-123/x").mkdir(parents=True)
    fetched.sweep(store)
    assert list(directory.iterdir()) == []
