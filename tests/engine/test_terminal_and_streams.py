"""Detach keys as they are typed, and the relay of exec with real processes and pipes."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest

from rootless.engine.lifecycle.attach import attach
from rootless.engine.lifecycle.attach.exec_streams import ExecStreams
from rootless.engine.lifecycle.attach.terminal import parse_detach_keys
from rootless.errors import InvalidInput
from rootless.linux import socket, struct


@pytest.mark.parametrize(
    ("typed", "passed", "matched"),
    [
        ([b"abc"], b"abc", False),
        ([b"\x10\x11"], b"", True),
        ([b"\x10", b"\x11"], b"", True),
        ([b"\x10", b"x"], b"\x10x", False),
        ([b"\x10\x10\x11"], b"\x10", True),
        ([b"a\x10\x11b"], b"a", True),
    ],
)
def test_detach_keys(typed: list[bytes], passed: bytes, matched: bool) -> None:
    keys = parse_detach_keys("ctrl-p,ctrl-q")
    assert passed == b"".join(keys.feed(data) for data in typed)
    assert matched == keys.matched


def test_detach_words() -> None:
    assert parse_detach_keys("ctrl-],a").keys == b"\x1da"
    for word in ("ctrl-", "ctrl-1", "ab", ""):
        with pytest.raises(InvalidInput):
            parse_detach_keys(word)


def _run(argv: list[str], given: bytes) -> tuple[bytes, bytes]:
    """What a process says on stdout and stderr, all of it through Streams."""
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    out_r, out_w = os.pipe()
    err_r, err_w = os.pipe()
    in_r, in_w = os.pipe()
    collected: dict[str, bytes] = {}

    def collect(name: str, fd: int) -> None:
        with os.fdopen(fd, "rb") as file:
            collected[name] = file.read()

    def provide() -> None:
        try:
            with os.fdopen(in_w, "wb", buffering=0) as file:
                view = memoryview(given)
                while view:
                    view = view[file.write(view) :]
        except BrokenPipeError:
            pass  # the process ended without reading it all

    threads = [
        threading.Thread(target=collect, args=("out", out_r)),
        threading.Thread(target=collect, args=("err", err_r)),
        threading.Thread(target=provide),
    ]
    for thread in threads:
        thread.start()
    pidfd = os.pidfd_open(process.pid)
    streams = ExecStreams(
        outputs={process.stdout.fileno(): out_w, process.stderr.fileno(): err_w},
        to_process=os.dup(process.stdin.fileno()),
        stdin=in_r,
        ended=pidfd,
    )
    process.stdin.close()
    assert streams.run()
    process.wait()
    for fd in (out_w, err_w, pidfd, in_r):
        os.close(fd)
    for thread in threads:
        thread.join(10)
    return collected["out"], collected["err"]


def test_both_outputs_apart() -> None:
    assert _run(["sh", "-c", "echo out; echo err >&2"], b"") == (b"out\n", b"err\n")


def test_more_in_and_out_than_any_pipe_holds() -> None:
    data = os.urandom(1 << 20)
    assert _run(["cat"], data) == (data, b"")


def test_process_that_does_not_read_its_input() -> None:
    assert _run(["sh", "-c", "echo done"], b"x" * (1 << 20))[0] == b"done\n"


def test_background_process_holding_the_pipes_does_not_keep_us() -> None:
    assert _run(["sh", "-c", "sleep 30 & echo gone"], b"")[0] == b"gone\n"


def test_a_monitor_that_ends_with_our_input_unread(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Its connection is reset: what it had said, and how the container ended, are in it all the same."""
    connection, monitor = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    attach.send(connection, bytes([attach.STDIN]) + b"unread")
    monitor.send(bytes([attach.STDOUT]) + b"last words\n")
    monitor.send(bytes([attach.EXITED]) + struct.pack("=i", 7 << 8))
    monitor.close()
    with connection:
        outcome = attach.relay(connection, stdin=None, detach_keys=None)
        attach.report_cleaned(connection)  # nobody hears it
    assert outcome == (7 << 8, False)
    assert capfdbinary.readouterr().out == b"last words\n"
