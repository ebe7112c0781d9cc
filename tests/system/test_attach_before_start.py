"""Clients that attach to a created container: they miss no byte, and nobody waits for one that has died."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rootless.engine.lifecycle.attach import attach
from rootless.engine.lifecycle.attach.attachment import Attachment
from rootless.engine.lifecycle.attach.terminal import parse_detach_keys
from rootless.engine.state import running
from rootless.errors import Conflict
from rootless.linux.socket import socket as Socket
from rootless.storage.containers import containers
from rootless.storage.store import Store
from tests.harness.command import Rootless
from tests.harness.processes import wait_until


@pytest.fixture
def store(rootless: Rootless) -> Store:
    return Store(str(rootless.root), str(rootless.sockets))


@pytest.fixture
def create(rootless: Rootless, store: Store, busybox_image: str) -> Callable[..., str]:
    def make(*words: str) -> str:
        options, argv = words[: words.index("--")], words[words.index("--") + 1 :]
        return containers.find(
            store,
            rootless(
                "create", "--name", "box", "--network", "none", *options, busybox_image, *argv
            ).stdout.strip(),
        )

    return make


def relayed(
    connection: Socket | None, stdin: int | None = None, keys: str = ""
) -> tuple[bytes, bytes, attach.Outcome]:
    """What comes until the end, into pipes that are read afterwards (64 KiB)."""
    assert connection is not None
    pipes = [os.pipe() for _ in range(2)]
    outcome = attach.relay(
        connection,
        stdin=stdin,
        detach_keys=parse_detach_keys(keys) if keys else None,
        stdout=pipes[0][1],
        stderr=pipes[1][1],
    )
    found = []
    for reading, writing in pipes:
        os.close(writing)
        with open(reading, "rb") as file:
            found.append(file.read())
    return found[0], found[1], outcome


def test_every_client_has_the_first_byte(
    rootless: Rootless, store: Store, create: Callable[..., str]
) -> None:
    box = create("--", "sh", "-c", "echo out; echo err >&2; exit 3")
    with Attachment(store, box) as one, Attachment(store, box) as two:
        assert one.connection is two.connection is None
        rootless("start", box)
        rootless("wait", box)
        for each in (one, two):
            assert relayed(each.wait()) == (b"out\n", b"err\n", attach.Outcome(3 << 8, detached=False))
    assert os.listdir(containers.directory(store, box) + "/attachers") == []
    with Attachment(store, box) as again:  # of one that has run, as `docker start -a` does it
        assert rootless("start", "-a", box, status=3).stdout == "out\n"
        assert relayed(again.wait())[0] == b"out\n"
    rootless("rm", box)


def once(rootless: Rootless, box: str) -> None:
    """As the API creates one with StdinOnce."""
    path = rootless.root / "containers" / box / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "stdin_once": True}))


def test_input_and_its_end(rootless: Rootless, store: Store, create: Callable[..., str]) -> None:
    """The container's stdin ends with the client's, and its output is read on."""
    box = create("-i", "--", "sh", "-c", "cat; echo done")
    once(rootless, box)
    assert rootless("inspect", "-f", "{{.Config.StdinOnce}}", box).stdout == "true\n"
    ours, theirs = os.pipe()
    with Attachment(store, box, stdin=True) as attachment, Attachment(store, box) as watcher:
        os.write(theirs, b"typed before the start\n")
        os.close(theirs)
        rootless("start", box)
        for each, stdin in ((attachment, ours), (watcher, None)):
            assert relayed(each.wait(), stdin)[0] == b"typed before the start\ndone\n"
    os.close(ours)
    rootless("rm", box)


@pytest.mark.parametrize("ends", [True, False])
def test_a_client_that_leaves_takes_stdin_along(
    rootless: Rootless, store: Store, create: Callable[..., str], ends: bool
) -> None:
    """Also one that never typed; with StdinOnce alone."""
    box = create("-i", "--", "sh", "-c", "cat; echo done")
    if ends:
        once(rootless, box)
    with Attachment(store, box) as watcher:
        with Attachment(store, box, stdin=True) as attachment:
            rootless("start", box)
            assert attachment.wait() is not None
        if not ends:
            with Attachment(store, box, stdin=True) as later:
                connection = later.wait()
                assert connection is not None
                connection.send(b"\0still here\n")
                assert connection.recv(100) == b"\x10still here\n"
            rootless("kill", box)
        assert relayed(watcher.wait())[0] == (b"done\n" if ends else b"still here\n")
    rootless("rm", "-f", box)


def test_a_terminal(rootless: Rootless, store: Store, create: Callable[..., str]) -> None:
    """Its size, and the detach keys, which leave it running."""
    box = create("-it", "--", "sh", "-c", "read word; stty size; read word; echo $word")
    ours, theirs = os.pipe()
    with Attachment(store, box, stdin=True) as attachment:
        rootless("start", box)
        connection = attachment.wait()
        assert connection is not None
        attach.resize(running.run_directory(store, box), 33, 44)
        os.write(theirs, b"\r\x10\x11")
        assert relayed(connection, ours, "ctrl-p,ctrl-q")[2] == attach.Outcome(None, detached=True)
    with Attachment(store, box, stdin=True) as attachment:
        connection = attachment.wait()
        assert connection is not None
        connection.send(b"\0word\r")
        assert relayed(connection)[0].endswith(b"word\r\n")
    assert "33 44" in rootless("logs", box).stdout
    for fd in (ours, theirs):
        os.close(fd)
    rootless("rm", box)


def test_one_that_dies_is_not_waited_for(
    rootless: Rootless, store: Store, create: Callable[..., str]
) -> None:
    box = create("--", "echo", "there")
    pid = os.fork()
    if pid == 0:
        Attachment(store, box)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    with Attachment(store, box) as attachment:
        assert rootless("start", "-a", box).stdout == "there\n"
        assert relayed(attachment.wait())[0] == b"there\n"
    rootless("rm", box)


def test_one_that_is_halted_holds_no_start_up(
    rootless: Rootless, store: Store, create: Callable[..., str]
) -> None:
    box = create("--", "echo", "there")
    with Attachment(store, box):
        assert rootless("start", "-a", box).stdout == "there\n"
    rootless("rm", "-f", box)


def test_a_start_that_fails_ends_it(rootless: Rootless, store: Store, create: Callable[..., str]) -> None:
    box = create("--", "no-such-command")
    with Attachment(store, box) as attachment:
        assert "no-such-command" in rootless("start", box, status=1).stderr
        assert relayed(attachment.wait()) == (b"", b"", attach.Outcome(None, detached=False))
    rootless("rm", box)


def test_a_removal_ends_it_and_so_does_a_client_that_goes(
    rootless: Rootless, store: Store, create: Callable[..., str]
) -> None:
    box = create("--", "true")
    ours, theirs = socket.socketpair()
    with Attachment(store, box) as attachment:
        theirs.close()
        assert attachment.wait(hangup=ours.fileno()) is None
    ours.close()
    with Attachment(store, box) as attachment:
        rootless("rm", box)
        assert attachment.wait() is None


def test_what_is_refused(rootless: Rootless, store: Store, create: Callable[..., str]) -> None:
    box = create("--", "sleep", "1000")
    assert (
        "You cannot attach to a stopped container, start it first" in rootless("attach", box, status=1).stderr
    )
    rootless("start", box)
    with Attachment(store, box) as attachment:
        assert attachment.connection is not None
    rootless("pause", box)
    with pytest.raises(Conflict, match="is paused, unpause the container before attach"):
        Attachment(store, box)
    rootless("rm", "-f", box)


def test_another_runtime_directory(
    rootless: Rootless, store: Store, create: Callable[..., str], tmp_path: Path
) -> None:
    """The start finds clients whose sockets are elsewhere: that of a cron job has another RUNTIME than a login's."""
    box = create("--", "echo", "there")
    elsewhere = Store(store.root, str(tmp_path / "runtime"))
    os.mkdir(elsewhere.runtime, 0o700)
    with Attachment(elsewhere, box) as attachment:
        rootless("start", box)
        assert relayed(attachment.wait())[0] == b"there\n"
    wait_until(
        lambda: not os.listdir(containers.directory(store, box) + "/attachers"), "the end of the registration"
    )
    rootless("rm", box)


def test_the_event(rootless: Rootless, store: Store, create: Callable[..., str]) -> None:
    box = create("--", "true")
    with Attachment(store, box):
        pass
    lines = rootless(
        "events", "--since", "1h", "--until", "0s", "--filter", f"container={box}", "--filter", "event=attach"
    ).lines
    assert len(lines) == 1
    rootless("rm", box)


def test_more_output_than_input(rootless: Rootless, busybox_image: str) -> None:
    """Each byte comes back twice: who only sends would wait for ever for a monitor that waits for who only sends."""
    data = bytes(range(64)) * 200_000
    script = "tee /dev/stderr"
    assert rootless("run", "--rm", "-i", "--network", "none", busybox_image, "sh", "-c", script, stdin=data).raw == data
