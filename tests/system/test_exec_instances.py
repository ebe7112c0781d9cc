"""Exec instances as Docker's API has them: made, started once, resized, looked at; the truth whoever was killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from rootless.engine.lifecycle import exec_instances
from rootless.engine.lifecycle.attach import attach
from rootless.engine.state import exec_instances as stored
from rootless.engine.state.exec_instances import ExecConfig
from rootless.engine.views import exec as view
from rootless.errors import CommandNotExecutable, CommandNotFound, Conflict, InvalidInput, NotFound
from rootless.linux.socket import socket as Socket
from rootless.storage.containers import containers
from rootless.storage.store import Store
from tests.harness.command import Rootless
from tests.harness.processes import wait_until


@pytest.fixture
def store(rootless: Rootless) -> Store:
    return Store(str(rootless.root), str(rootless.sockets))


@pytest.fixture
def box(rootless: Rootless, store: Store, busybox_image: str) -> Iterator[str]:
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "1000")
    yield containers.find(store, "box")
    rootless("rm", "-f", "box", status=None)


def config(*argv: str, **more: object) -> ExecConfig:
    return ExecConfig("", "", list(argv), **{"stdout": True, "stderr": True, **more})  # type: ignore[arg-type]


def read_on(connection: Socket | None) -> tuple[bytes, bytes, int]:
    """Standard output, standard error and the exit code."""
    assert connection is not None
    found = {attach.STDOUT: b"", attach.STDERR: b""}
    with connection:
        while True:
            packet = connection.recv(attach.PACKET_LIMIT)
            assert packet
            if packet[0] == attach.EXITED:
                return found[attach.STDOUT], found[attach.STDERR], attach.exit_code(int.from_bytes(packet[1:5], "little", signed=True))
            found[packet[0]] += packet[1:]


def test_create_start_inspect(rootless: Rootless, store: Store, box: str) -> None:
    made = exec_instances.create(store, box, config("sh", "-c", "echo out; echo err >&2; id -u; exit 3", user="7", detach_keys="ctrl-a,b"))
    assert view.inspect(store, made)["DetachKeys"] == "\x01b"
    assert rootless("inspect", "-f", "{{.ExecIDs}}", box).stdout == f"[{made}]\n"
    before = view.inspect(store, made)
    assert (before["Running"], before["ExitCode"], before["Pid"], before["ContainerID"]) == (False, None, 0, box)
    assert before["ProcessConfig"] == {
        "tty": False, "entrypoint": "sh", "arguments": ["-c", "echo out; echo err >&2; id -u; exit 3"], "privileged": False, "user": "7",
    }  # fmt: skip
    assert read_on(exec_instances.start(store, made)) == (b"out\n7\n", b"err\n", 3)
    after = view.inspect(store, made)
    assert (after["Running"], after["ExitCode"], after["Pid"]) == (False, 3, 0)
    assert rootless("inspect", "-f", "{{.ExecIDs}}", box).stdout == "[]\n"
    with pytest.raises(Conflict, match="has already run"):
        exec_instances.start(store, made)
    lines = rootless("events", "--since", "1h", "--until", "0s", "--filter", f"container={box}", "--format", "json").lines
    told = [(each["Action"].partition(":")[0], each["Actor"]["Attributes"]) for each in map(json.loads, lines)]
    assert [word for word, attributes in told if attributes.get("execID") == made] == ["exec_create", "exec_start", "exec_die"]
    assert told[-1][1]["exitCode"] == "3"


def test_input_ends_with_its_half(rootless: Rootless, store: Store, box: str) -> None:
    connection = exec_instances.start(store, exec_instances.create(store, box, config("cat", stdin=True)))
    assert connection is not None
    connection.send(bytes([attach.STDIN]) + b"typed")
    connection.send(bytes([attach.STDIN_END]))
    assert read_on(connection) == (b"typed", b"", 0)
    without = exec_instances.start(store, exec_instances.create(store, box, config("cat")))
    assert read_on(without) == (b"", b"", 0)


def test_ten_megabytes(store: Store, box: str) -> None:
    made = exec_instances.create(store, box, config("head", "-c", "10000000", "/dev/zero"))
    assert len(read_on(exec_instances.start(store, made))[0]) == 10_000_000


def test_detached_it_can_be_looked_at(rootless: Rootless, store: Store, box: str) -> None:
    made = exec_instances.create(store, box, config("sh", "-c", "until test -e /end; do sleep 0.1; done; exit 4"))
    assert exec_instances.start(store, made, detach=True) is None
    running = view.inspect(store, made)
    assert running["Running"]
    assert os.readlink(f"/proc/{running['Pid']}/root")
    with pytest.raises(Conflict, match="is already running"):
        exec_instances.start(store, made)
    rootless("exec", box, "touch", "/end")
    wait_until(lambda: view.inspect(store, made)["ExitCode"] == 4, "its end")


def test_a_client_that_goes_leaves_it_running(rootless: Rootless, store: Store, box: str) -> None:
    made = exec_instances.create(store, box, config("sh", "-c", "cat; exec sleep 1000", stdin=True))
    connection = exec_instances.start(store, made)
    assert connection is not None
    connection.close()
    pid = view.inspect(store, made)["Pid"]
    wait_until(lambda: b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes(), "the end of its input")
    assert view.inspect(store, made)["Running"]


def test_the_terminals_size(rootless: Rootless, store: Store, box: str) -> None:
    """Of the start; and by a resize that comes before it and waits."""
    sized = exec_instances.create(store, box, config("stty", "size", tty=True, stdin=True, rows=11, columns=22))
    assert read_on(exec_instances.start(store, sized))[0] == b"11 22\r\n"
    given = exec_instances.create(store, box, config("stty", "size", tty=True, stdin=True, rows=11, columns=22))
    assert read_on(exec_instances.start(store, given, rows=12, columns=23))[0] == b"12 23\r\n"
    later = exec_instances.create(store, box, config("sh", "-c", "read a; stty size", tty=True, stdin=True))
    with ThreadPoolExecutor() as pool:
        resized = pool.submit(exec_instances.resize, store, later, 33, 44)
        connection = exec_instances.start(store, later)
        assert connection is not None
        resized.result(60)
    connection.send(b"\0\r")
    assert b"33 44" in read_on(connection)[0]
    with pytest.raises(Conflict, match="is not running"):
        exec_instances.resize(store, later, 1, 1)
    never = exec_instances.create(store, box, config("true", tty=True))
    with pytest.raises(Conflict, match="timeout waiting for exec session ready"):
        exec_instances.resize(store, never, 1, 1, patience_s=0.1)


def test_a_resize_is_done_when_it_returns(store: Store, box: str) -> None:
    """What is typed after it, on another connection, finds the terminal so: it waits for its monitor, here one that is stopped."""
    made = exec_instances.create(store, box, config("sh", "-c", "read a; stty size", tty=True, stdin=True))
    connection = exec_instances.start(store, made)
    assert connection is not None
    state = stored.read_state(stored.directory(store, stored.read(store, made)))
    assert state is not None
    with ThreadPoolExecutor() as pool, open(f"/proc/{state['pid']}/fd/0", "rb", buffering=0) as terminal:
        os.kill(state["monitor_pid"], signal.SIGSTOP)
        try:
            resized = pool.submit(exec_instances.resize, store, made, 33, 44)
            assert wait([resized], timeout=1).not_done
        finally:
            os.kill(state["monitor_pid"], signal.SIGCONT)
        resized.result(60)
        assert os.get_terminal_size(terminal.fileno()) == (44, 33)
    connection.send(b"\0\r")
    assert b"33 44" in read_on(connection)[0]


@pytest.mark.parametrize(("argv", "code", "error"), [(("no-such",), 127, CommandNotFound), (("/etc",), 126, CommandNotExecutable)])
def test_what_cannot_be_executed(store: Store, box: str, argv: tuple[str, ...], code: int, error: type[Exception]) -> None:
    made = exec_instances.create(store, box, config(*argv))
    with pytest.raises(error):
        exec_instances.start(store, made)
    assert (view.inspect(store, made)["Running"], view.inspect(store, made)["ExitCode"]) == (False, code)


def test_the_truth_after_a_kill(rootless: Rootless, store: Store, box: str) -> None:
    """Its monitor's: it ends, too. Its container's: so does it."""
    made = [exec_instances.create(store, box, config("sleep", "1000")) for _ in range(2)]
    for each in made:
        exec_instances.start(store, each, detach=True)
    state = stored.read_state(stored.directory(store, stored.read(store, made[0])))
    assert state is not None
    os.kill(state["monitor_pid"], signal.SIGKILL)
    wait_until(lambda: not view.inspect(store, made[0])["Running"], "its end")
    assert view.inspect(store, made[0])["ExitCode"] == 137
    assert view.inspect(store, made[1])["Running"]
    rootless("kill", box)
    wait_until(lambda: not view.inspect(store, made[1])["Running"], "its end")
    assert view.inspect(store, made[1])["ExitCode"] == 137
    rootless("rm", box)
    with pytest.raises(NotFound, match="No such exec instance"):
        view.inspect(store, made[1])


def test_a_starter_that_is_killed(store: Store, box: str) -> None:
    """It runs on, and its record says so."""
    made = exec_instances.create(store, box, config("sleep", "1000"))
    pid = os.fork()
    if pid == 0:
        exec_instances.start(store, made)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert view.inspect(store, made)["Running"]


def test_it_is_kept_for_five_minutes(rootless: Rootless, store: Store, box: str) -> None:
    made = exec_instances.create(store, box, config("true"))
    read_on(exec_instances.start(store, made))
    path = stored.directory(store, stored.read(store, made))
    then = os.stat(path + "/exit.json").st_mtime - stored.KEPT_S + 30
    os.utime(path + "/exit.json", (then, then))
    assert view.inspect(store, made)["ExitCode"] == 0
    os.utime(path + "/exit.json", (then - 60, then - 60))
    with pytest.raises(NotFound, match=f"No such exec instance: {made}"):
        view.inspect(store, made)
    exec_instances.create(store, box, config("true"))
    assert not os.path.exists(path)


def test_what_nobody_starts_is_kept_for_an_hour(store: Store, box: str) -> None:
    made = exec_instances.create(store, box, config("true"))
    path = stored.directory(store, stored.read(store, made))
    then = os.stat(path + "/config.json").st_mtime - stored.UNSTARTED_S + 60
    os.utime(path + "/config.json", (then, then))
    assert view.inspect(store, made)["Running"] is False
    os.utime(path + "/config.json", (then - 120, then - 120))
    with pytest.raises(NotFound, match=f"No such exec instance: {made}"):
        exec_instances.start(store, made)
    exec_instances.create(store, box, config("true"))
    assert not os.path.exists(path)


def test_what_is_refused(rootless: Rootless, store: Store, box: str) -> None:
    for bad in ("../../x", "a" * 63, "A" * 64, "0" * 64, ""):
        with pytest.raises(NotFound, match="No such exec instance"):
            exec_instances.start(store, bad)
    with pytest.raises(InvalidInput, match="No exec command specified"):
        exec_instances.create(store, box, config())
    with pytest.raises(InvalidInput, match="Unknown character"):
        exec_instances.create(store, box, config("true", detach_keys="ctrl-1"))
    rootless("pause", box)
    with pytest.raises(Conflict, match="is paused, unpause the container before exec"):
        exec_instances.create(store, box, config("true"))
    rootless("unpause", box)
    made = exec_instances.create(store, box, config("true"))
    rootless("kill", box)
    for call in (lambda: exec_instances.create(store, box, config("true")), lambda: exec_instances.start(store, made)):
        with pytest.raises(Conflict, match="is not running"):
            call()
    assert view.inspect(store, made)["ExitCode"] is None
