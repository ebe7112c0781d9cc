"""Docker's conditions of `wait`: registered before anything happens, told by the monitor itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from rootless.engine.lifecycle.attach.attachment import Attachment
from rootless.engine.lifecycle.wait import Exit, Waiter
from rootless.errors import InvalidInput, NotFound
from rootless.linux.inotify import Inotify
from rootless.storage.containers import containers
from rootless.storage.store import Store
from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.need import need

SHORT = ("--network", "none", "busybox", "sh", "-c", "exit 3")


@pytest.fixture
def store(rootless: Rootless) -> Store:
    return Store(str(rootless.root), str(rootless.sockets))


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def waiting(pool: ThreadPoolExecutor, waiter: Waiter) -> Future[Exit | None]:
    return pool.submit(waiter.wait)


def create(rootless: Rootless, store: Store, *words: str) -> str:
    return containers.find(store, rootless("create", *words).stdout.strip())


def test_not_running_holds_at_once(rootless: Rootless, store: Store, busybox_image: str) -> None:
    box = create(rootless, store, *SHORT)
    with Waiter(store, box) as waiter:
        assert waiter.wait() == Exit(0)
    rootless("start", "-a", box, status=3)
    with Waiter(store, box) as waiter:
        assert waiter.wait() == Exit(3)
    rootless("rm", box)
    with pytest.raises(NotFound):
        Waiter(store, box)


@pytest.mark.parametrize("condition", ["next-exit", "removed"])
def test_before_the_start_of_the_shortest(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor, condition: str
) -> None:
    """The order of `docker run --rm`: the waiter reads after everything is over, and knows."""
    box = create(rootless, store, "--rm", *SHORT)
    with Waiter(store, box, condition) as waiter:
        rootless("start", box)
        wait_until(lambda: not os.path.lexists(containers.directory(store, box)), "the removal")
        assert waiting(background, waiter).result(60) == Exit(3)
    assert rootless("ps", "-aq").stdout == ""


def test_next_exit_is_never_an_earlier_one(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor
) -> None:
    box = create(
        rootless,
        store,
        "--name",
        "box",
        "--network",
        "none",
        busybox_image,
        "sh",
        "-c",
        "test -e x && exit 5; >x; exit 4",
    )
    rootless("start", "-a", "box", status=4)
    with Waiter(store, box, "next-exit") as waiter:
        found = waiting(background, waiter)
        assert threading.Event().wait(0.3) is False
        assert not found.done()
        rootless("start", "-a", "box", status=5)
        assert found.result(60) == Exit(5)
    rootless("rm", "box")


def test_a_start_that_fails_is_no_exit(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor
) -> None:
    source = rootless.runtime / "there"
    source.mkdir()
    mount = ("--mount", f"type=bind,source={source},target=/x")
    box = create(rootless, store, "--name", "box", "--network", "none", *mount, busybox_image, "true")
    source.rmdir()
    with Waiter(store, box, "next-exit") as waiter:
        found = waiting(background, waiter)
        for _ in range(2):
            assert "there" in rootless("start", "box", status=1).stderr
        assert not found.done()
        source.mkdir()
        rootless("start", "box")
        assert found.result(60) == Exit(0)
    rootless("rm", "box")


def test_a_running_one(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor
) -> None:
    box = containers.find(
        store, rootless("run", "-d", "--network", "none", busybox_image, "sleep", "1000").stdout.strip()
    )
    with (
        Waiter(store, box) as one,
        Waiter(store, box, "next-exit") as two,
        Waiter(store, box, "removed") as three,
    ):
        found = [waiting(background, each) for each in (one, two, three)]
        rootless("kill", box)
        assert [each.result(60) for each in found[:2]] == [Exit(137)] * 2
        assert not found[2].done()
        rootless("rm", box)
        assert found[2].result(60) == Exit(137)


def test_removed_answers_when_the_name_is_free(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor
) -> None:
    for number in range(5):
        box = create(
            rootless,
            store,
            "--rm",
            "--name",
            "box",
            "--network",
            "none",
            busybox_image,
            "sh",
            "-c",
            f"exit {number}",
        )
        with Waiter(store, box, "removed") as waiter:
            found = waiting(background, waiter)
            rootless("start", "box")
            assert found.result(60) == Exit(number)


def test_a_restart_in_between(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor
) -> None:
    """Each end counts for `next-exit`, the last for `removed`."""
    script = "test -e x && exec sleep 1000; >x; exit 4"
    box = create(
        rootless,
        store,
        "--name",
        "box",
        "--restart",
        "on-failure",
        "--network",
        "none",
        busybox_image,
        "sh",
        "-c",
        script,
    )
    with Waiter(store, box, "next-exit") as one, Waiter(store, box, "removed") as two:
        found = [waiting(background, each) for each in (one, two)]
        rootless("start", "box")
        assert found[0].result(60) == Exit(4)
        wait_until(
            lambda: (
                rootless("inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "box").stdout
                == "running 1\n"
            ),
            "the restart",
        )
        rootless("rm", "-f", "box")
        assert found[1].result(60) == Exit(137)


def test_a_killed_monitor(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor
) -> None:
    box = containers.find(
        store, rootless("run", "-d", "--network", "none", busybox_image, "sleep", "1000").stdout.strip()
    )
    with Waiter(store, box, "next-exit") as waiter:
        found = waiting(background, waiter)
        os.kill(int(rootless("inspect", "-f", "{{.State.MonitorPid}}", box).stdout), signal.SIGKILL)
        assert found.result(60) == Exit(137, "monitor lost")
    rootless("rm", box)


def test_a_client_that_goes(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor
) -> None:
    """Half of a connection that is closed is no farewell."""
    box = create(rootless, store, *SHORT)
    ours, theirs = socket.socketpair()
    with Waiter(store, box, "next-exit") as waiter:
        found = background.submit(waiter.wait, ours.fileno())
        theirs.shutdown(socket.SHUT_WR)
        assert threading.Event().wait(0.2) is False
        assert not found.done()
        theirs.close()
        assert found.result(60) is None
    assert os.listdir(containers.directory(store, box) + "/attachers") == []
    ours.close()
    rootless("rm", box)


def test_a_waiter_that_dies_is_not_waited_for(rootless: Rootless, store: Store, busybox_image: str) -> None:
    box = create(rootless, store, "--name", "box", "--network", "none", busybox_image, "echo", "there")
    pid = os.fork()
    if pid == 0:
        Waiter(store, box, "next-exit")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert len(os.listdir(containers.directory(store, box) + "/attachers")) == 1
    assert rootless("start", "-a", "box").stdout == "there\n"
    assert os.listdir(containers.directory(store, box) + "/attachers") == []
    rootless("rm", "box")


def test_more_watchers_than_the_kernel_allows(
    rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor
) -> None:
    """Then one looks now and then."""
    box = create(rootless, store, "--name", "box", *SHORT)
    need(int(Path("/proc/sys/fs/inotify/max_user_instances").read_text()) < 900, "too many inotify instances are allowed")
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(Inotify())
        with Waiter(store, box, "removed") as one, Waiter(store, box, "next-exit") as two, Attachment(store, box) as attachment:
            found = [waiting(background, one), waiting(background, two)]
            rootless("start", "box")
            assert found[1].result(60) == Exit(3)
            assert attachment.wait() is not None
            rootless("rm", "box")
            assert found[0].result(60) == Exit(3)
        other = create(rootless, store, *SHORT)
        with Attachment(store, other) as attachment:
            gone = background.submit(attachment.wait)
            rootless("rm", other)
            assert gone.result(60) is None
    finally:
        for each in taken:
            each.close()


def test_a_restart_called_off(rootless: Rootless, store: Store, busybox_image: str, background: ThreadPoolExecutor) -> None:
    """Until then it runs, as far as Docker is concerned."""
    words = ("--name", "box", "--restart", "always", "--network", "none", busybox_image, "sh", "-c", "exit 5")
    rootless("run", "-d", *words)
    box = containers.find(store, "box")

    def waits_long() -> bool:
        delay_ms: int = json.loads((rootless.root / "containers" / box / "restart.json").read_text())["delay_ms"]
        return delay_ms >= 3200 and rootless("inspect", "-f", "{{.State.Status}}", "box").stdout == "restarting\n"

    wait_until(waits_long, "a long delay")
    with Waiter(store, box) as waiter:
        found = waiting(background, waiter)
        rootless("stop", "box")
        assert found.result(60) == Exit(5)
    rootless("rm", "box")


def test_words(rootless: Rootless, store: Store, busybox_image: str) -> None:
    box = create(rootless, store, "--name", "box", *SHORT)
    with pytest.raises(InvalidInput, match="invalid condition"):
        Waiter(store, box, "gone")
    rootless("start", "-a", "box", status=3)
    assert rootless("wait", "--condition", "not-running", "box").stdout == "3\n"
    assert (
        "one condition at a time"
        in rootless("wait", "--condition", "removed", "--condition", "stopped", "box", status=1).stderr
    )
    removed = rootless.start("wait", "--condition", "removed", "box")
    # realpath: of a descriptor that is closed meanwhile, its own name.
    fds = f"/proc/{removed.pid}/fd"
    wait_until(lambda: any("inotify" in os.path.realpath(f"{fds}/{fd}") for fd in os.listdir(fds)), "the waiter")
    rootless("rm", "box")
    assert removed.communicate(timeout=60)[0] == b"3\n"
