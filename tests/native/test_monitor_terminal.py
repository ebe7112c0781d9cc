"""The monitor with a terminal, driven through a real pty."""

from __future__ import annotations

import os
import signal
import struct
import time

from tests.native.monitored import (
    RESIZE,
    STDIN,
    Monitor,
    cpu_ticks,
)


def test_terminal(monitor: Monitor) -> None:
    script = "stty size; read line; stty size; echo got $line; tty >/dev/null && echo tty; exit 6"
    client = monitor.start("sh", "-c", script, terminal=True, client=True).client
    assert client is not None
    client.until(lambda client: b"\r\n" in client.stdout)
    client.send(RESIZE, struct.pack("=HH", 33, 99))
    client.send(STDIN, b"word\n")
    client.finish()
    assert client.stdout.endswith(b"33 99\r\ngot word\r\ntty\r\n")
    assert (client.stderr, client.status) == (b"", 6 << 8)
    monitor.wait()
    assert ("stdout", "F", "tty\r") in [(s, t, text) for s, t, text in log_keeping_cr(monitor)]


def log_keeping_cr(monitor: Monitor) -> list[tuple[str, ...]]:
    lines = (monitor.dir / "container.log").read_bytes().decode().split("\n")
    return [tuple(line.split(" ", 3)[1:]) for line in lines if line]


def test_terminal_interrupt(monitor: Monitor) -> None:
    client = monitor.start("sleep", "100", terminal=True, client=True).client
    assert client is not None
    time.sleep(0.2)
    client.send(STDIN, b"\x03")
    assert client.finish().status == signal.SIGINT


def test_terminal_all_output_arrives(monitor: Monitor) -> None:
    client = monitor.start("seq", "1", "100000", terminal=True, client=True).client
    assert client is not None
    client.finish()
    assert client.stdout == b"".join(b"%d\r\n" % number for number in range(1, 100001))


def test_terminal_closed_and_opened_again(monitor: Monitor) -> None:
    script = 'tty=$(tty); exec </dev/null >/dev/null 2>&1; sleep 0.3; echo again >"$tty"; sleep 0.2; exit 0'
    client = monitor.start("sh", "-c", script, terminal=True, client=True).client
    assert client is not None
    assert client.finish().stdout == b"again\r\n"


def test_terminal_hung_up_by_a_session_in_the_container(monitor: Monitor) -> None:
    # The child gives its terminal up; another session takes it, ends, and hangs it up.
    script = (
        "import fcntl, os, signal, termios, time\n"
        "name = os.ttyname(0)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); signal.signal(signal.SIGCONT, signal.SIG_IGN)\n"
        "fcntl.ioctl(0, termios.TIOCNOTTY)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os.setsid(); fd = os.open(name, os.O_RDWR); fcntl.ioctl(fd, termios.TIOCSCTTY, 0); os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "time.sleep(1)\n"
        "fd = os.open(name, os.O_RDWR | os.O_NOCTTY)\n"
        "os.write(fd, b'alive\\n')\n"
        "time.sleep(0.2)\n"
    )
    client = monitor.start("python3", "-c", script, terminal=True, client=True).client
    assert client is not None
    client.until(lambda client: client.stdout == b"alive\r\n")
    assert cpu_ticks(monitor.pid) < 20  # a second of polling a hung up terminal would be 100
    assert client.finish().status == 0


def test_stray_holder_of_the_terminal_is_not_awaited(monitor: Monitor) -> None:
    script = "trap '' HUP; sleep 1000 <&0 & echo $!; exit 1"
    client = monitor.start("sh", "-c", script, terminal=True, client=True).client
    assert client is not None
    client.finish()
    try:
        monitor.wait()
        os.kill(int(client.stdout), 0)  # it is there still
    finally:
        os.kill(int(client.stdout), signal.SIGKILL)
