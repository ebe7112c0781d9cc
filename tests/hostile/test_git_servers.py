"""Git servers that send without end: packs, objects, references and words, each bounded before it fills a disk or a memory."""

from __future__ import annotations

import os
import socket
import socketserver
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from rootless.build.context import git_program
from rootless.errors import RootlessError
from rootless.storage.store import Store, make_directory
from tests.build.context.git_daemon import Repository, files
from tests.build.context.git_daemon import base as base
from tests.build.context.git_daemon import repository as repository
from tests.build.context.git_http import GitHttp
from tests.hostile.test_build_repositories import commit, tree
from tests.need import need_program
from tests.storage.conftest import store as store

NAME = "1" * 40
COMMIT, BLOB = 1, 3
Sends = Callable[[socket.socket], None]


def packet(data: bytes) -> bytes:
    return b"%04x" % (len(data) + 4) + data


def band(number: int, data: bytes) -> bytes:
    return packet(bytes([number]) + data)


def header(kind: int, size: int) -> bytes:
    """An object's, in a pack: the size is what the server says."""
    found = [kind << 4 | size & 15]
    size >>= 4
    while size:
        found[-1] |= 128
        found.append(size & 127)
        size >>= 7
    return bytes(found)


def pack(count: int) -> bytes:
    return b"PACK" + struct.pack("!II", 2, count)


class Server:
    """A git daemon of version 0 that has one commit; what it sends as its pack is `sends`, or `lists` as its references."""

    def __init__(self, sends: Sends, lists: Sends | None = None) -> None:
        self.asked = 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    outer.serve(self.request)
                except (BrokenPipeError, ConnectionResetError):
                    pass

        self._sends, self._lists = sends, lists
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"git://127.0.0.1:{self._server.server_address[1]}/x"

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            stream.read(int(stream.read(4), 16) - 4)
            words = b"side-band-64k shallow allow-tip-sha1-in-want allow-reachable-sha1-in-want"
            connection.sendall(packet(f"{NAME} HEAD\0".encode() + words + b"\n"))
            if self._lists is not None:
                self._lists(connection)
            connection.sendall(packet(f"{NAME} refs/heads/main\n".encode()) + b"0000")
            while line := stream.read(4):
                length = int(line, 16)
                text = stream.read(length - 4) if length else b""
                if length == 0:
                    connection.sendall(packet(f"shallow {NAME}".encode()) + b"0000")
                elif text.startswith(b"done"):
                    self.asked += 1
                    connection.sendall(packet(b"NAK\n"))
                    self._sends(connection)
                    return

    def __enter__(self) -> Server:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def in_bands(connection: socket.socket, number: int, data: Iterator[bytes]) -> None:
    for part in data:
        for start in range(0, len(part), 65000):
            connection.sendall(band(number, part[start : start + 65000]))


def noise() -> Iterator[bytes]:
    """A zlib stream without end that packs nothing."""
    deflate = zlib.compressobj(0)
    block = os.urandom(1 << 20)
    while True:
        yield deflate.compress(block)


def zeros() -> Iterator[bytes]:
    deflate = zlib.compressobj(9)
    while True:
        yield deflate.compress(bytes(1 << 22))


def one_object(kind: int, data: Iterator[bytes], count: int = 1) -> Sends:
    def send(connection: socket.socket) -> None:
        in_bands(connection, 1, iter([pack(count) + header(kind, 1 << 40)]))
        in_bands(connection, 1, data)

    return send


def small(data: bytes) -> bytes:
    return header(BLOB, len(data)) + zlib.compress(data, 0)


def many_objects(connection: socket.socket) -> None:
    in_bands(connection, 1, iter([pack(99)]))
    in_bands(connection, 1, (small(os.urandom(1 << 20)) for _ in range(99)))


def fetched(store: Store, url: str) -> str:
    """What the failure says; nothing of what came is left."""
    need_program("git")
    make_directory(store.root)
    with pytest.raises(RootlessError) as failed:
        files(store, url)
    assert not list(Path(store.root, "tmp").iterdir())
    left = [path for path in Path(store.root, "build/git").rglob("*") if path.name.startswith("tmp_") or path.suffix == ".temp"]
    assert left == [] or "room" not in failed.value.message
    return failed.value.message


@pytest.mark.parametrize("sends", [one_object(BLOB, noise()), many_objects], ids=["one", "many"])
def test_a_pack_larger_than_there_is_room(store: Store, monkeypatch: pytest.MonkeyPatch, sends: Sends) -> None:
    monkeypatch.setattr(git_program, "room", lambda path: 8 << 20)
    with Server(sends) as server:
        assert "larger than there is room for" in fetched(store, server.url)
        assert server.asked == 1  # not once more by another name
    assert not list(Path(store.root, "build/git").glob("*/repository"))


def test_many_files_of_a_full_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is large: the free space is looked at while they come."""
    spaces = iter([1 << 30, *[1 << 30] * 40])
    monkeypatch.setattr(git_program, "room", lambda path: next(spaces, 1 << 20))
    with Server(one_object(BLOB, noise())) as server:
        assert "larger than there is room for" in fetched(store, server.url)


@pytest.mark.parametrize(
    "sends", [one_object(COMMIT, zeros()), one_object(COMMIT, zeros(), count=0xFFFFFFFF)], ids=["object", "count"]
)
def test_sizes_that_are_lies(store: Store, monkeypatch: pytest.MonkeyPatch, sends: Sends) -> None:
    monkeypatch.setattr(git_program, "_MOST_MEMORY", 200 << 20)
    with Server(sends) as server:
        assert "cannot fetch" in fetched(store, server.url)


def test_words_without_end(store: Store) -> None:
    def send(connection: socket.socket) -> None:
        in_bands(connection, 2, iter([b"fatal: of the server's making\n", *[b"x" * 60000 + b"\n"] * 1000]))
        connection.sendall(band(3, b"over"))

    with Server(send) as server:
        assert len(fetched(store, server.url)) < 2000


def test_references_without_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_program, "_MOST_MEMORY", 100 << 20)

    def send(connection: socket.socket) -> None:
        number = 0
        while True:
            number += 1
            connection.sendall(b"".join(packet(f"{NAME} refs/heads/{number}.{n}/HEAD\n".encode()) for n in range(1000)))

    with Server(send, send) as server:
        assert "cannot read the refs" in fetched(store, server.url)
    monkeypatch.setattr(git_program, "_MOST_OUTPUT", 1 << 20)

    def some(connection: socket.socket) -> None:
        connection.sendall(b"".join(packet(f"{NAME} refs/heads/{n}/HEAD\n".encode()) for n in range(30_000)))

    with Server(send, some) as server:
        assert "more than 1 MB of names" in fetched(store, server.url)


def test_directories_that_double(store: Store, repository: Repository) -> None:
    """2^40 directories, and not one file in them that would be counted."""
    top = tree(repository)
    for _ in range(40):
        top = tree(repository, ("40000", top, "a"), ("40000", top, "b"))
    commit(repository, "bomb", top)
    make_directory(store.root)
    with pytest.raises(RootlessError, match="files and directories"):
        files(store, repository.url, ref="bomb")


def test_what_a_killed_fetch_left(store: Store, repository: Repository) -> None:
    assert files(store, repository.url)["a"] == "first"
    (kept,) = Path(store.root, "build/git").glob("*/repository")
    for name in ("objects/pack/tmp_pack_x", "objects/ab/tmp_obj_x", "objects/pack/pack-x.pack.temp", "index.lock"):
        (kept / name).parent.mkdir(exist_ok=True)
        (kept / name).write_bytes(b"x")
    repository.commit(a="second")
    assert files(store, repository.url)["a"] == "second"
    assert not [path for path in kept.rglob("*") if path.name.startswith("tmp_") or path.suffix in (".temp", ".lock")]


def test_a_commit_of_a_server_that_gives_only_its_refs(store: Store, repository: Repository) -> None:
    """All of them are fetched, and none gets a name here."""
    first = repository.head
    repository.commit(a="second")
    for number in range(50):
        repository.run("update-ref", f"refs/other/{number}", repository.head)
    with GitHttp(repository.path.parent) as server:
        server.newest = False
        assert files(store, server.url("x.git"), ref=first)["a"] == "first"
    (kept,) = Path(store.root, "build/git").glob("*/repository")
    assert [path.name for path in (kept / "refs").rglob("*") if path.is_file()] == [first]
