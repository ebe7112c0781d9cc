"""Socket activation and sd_notify without systemd: we say to rootless what systemd would."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless

# Answers one connection with what it was given, and ends with an error, so that on-failure restarts it.
SERVER = r"""
open(my $listening, "+<&=", 3) or die "no descriptor 3";
accept(my $connection, $listening) or die "accept: $!";
syswrite $connection, "$ENV{LISTEN_FDS} $ENV{LISTEN_PID} $ENV{LISTEN_FDNAMES} $$\n";
exit 1;
"""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def activate(rootless: Rootless, listening: socket.socket, *argv: str) -> None:
    """`rootless ARGV` as systemd executes a service with one socket."""
    script = f'exec 3<&{listening.fileno()} {listening.fileno()}<&-; export LISTEN_PID=$$; exec "$@"'
    subprocess.run(
        ["bash", "-c", script, "bash", *rootless.argv, *argv],
        env={**rootless.environment, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"},
        pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL, check=True, timeout=60,
    )  # fmt: skip


def answer(listening: socket.socket) -> str:
    with socket.create_connection(listening.getsockname(), timeout=30) as connection:
        return connection.makefile().readline().strip()


def wait_refused(address: tuple[str, int]) -> None:
    """Up to when nobody has the socket: not the container, the monitor, the network, the session's holder."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(address, timeout=5).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            pass  # in the queue of the socket when its last holder closed it
        assert time.monotonic() < deadline, "somebody keeps the socket after the end"
        time.sleep(0.05)


def test_a_socket_is_served_and_survives_restarts(
    rootless: Rootless, debian_image: str, listening: socket.socket
) -> None:
    activate(
        rootless, listening, "run", "-d", "--name", "web", "--restart", "on-failure:2",
        debian_image, "perl", "-e", SERVER,
    )  # fmt: skip
    for _ in range(3):  # the first run and both restarts: connections wait while nobody runs
        assert answer(listening) == "1 1 web 1"
    assert rootless("inspect", "-f", "{{.RestartCount}}", "web").stdout.strip() == "2"
    address = listening.getsockname()
    listening.close()
    wait_refused(address)
    assert rootless("inspect", "-f", "{{.State.Status}}", "web").stdout.strip() == "exited"
    rootless("rm", "web")


def test_what_the_command_closes_is_closed_where_no_restart_can_come(
    rootless: Rootless, debian_image: str, listening: socket.socket
) -> None:
    activate(
        rootless, listening, "run", "-d", "--rm", "--name", "once", debian_image,
        "perl", "-e", 'open(my $l, "+<&=", 3) or die; close $l; sleep 100',
    )  # fmt: skip
    address = listening.getsockname()
    listening.close()
    wait_refused(address)
    rootless("rm", "-f", "once")


@pytest.mark.parametrize("mode", ["conmon", "container", "ignore"])
def test_who_says_ready(rootless: Rootless, debian_image: str, tmp_path: Path, mode: str) -> None:
    script = 'socket(my $s, 1, 2, 0); connect($s, pack("Sa*", 1, $ENV{NOTIFY_SOCKET})) or die $!; syswrite $s, "READY=1\\nSTATUS=own"'
    command = ["perl", "-e", script + "; sleep 100"] if mode == "container" else ["sleep", "100"]
    address = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(address)
        Path(address).chmod(0o666)
        told.settimeout(3 if mode == "ignore" else 30)
        subprocess.run(
            [*rootless.argv, "run", "-d", "--name", "told", "--sdnotify", mode, debian_image, *command],
            env={**rootless.environment, "NOTIFY_SOCKET": address}, check=True, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if mode == "ignore":
            with pytest.raises(TimeoutError):
                told.recv(4096)
        else:
            messages = [told.recv(4096).decode()]
            if mode == "container":
                messages.append(told.recv(4096).decode())
            words = "\n".join(messages).splitlines()
            monitor = next(int(word.partition("=")[2]) for word in words if word.startswith("MAINPID="))
            assert Path(f"/proc/{monitor}/comm").read_text() == "rootless-monito\n"
            assert words.count("READY=1") == 1
            assert ("STATUS=own" in words) is (mode == "container")
    rootless("rm", "-f", "told")
