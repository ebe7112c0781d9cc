"""The program that emulates ids, given more than it expects (helpers/ids/serve.c, request.c)."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.native.test_ids import HERE, ONE_ID


@contextmanager
def listening(helpers: Path, place: Path) -> Iterator[Path]:
    """The socket of a program that nobody has given a listener."""
    address = place / "ids"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(str(address))
        server.listen()
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        fds = (proc, server.fileno())
        helper = subprocess.Popen([f"{helpers}/rootless-ids", "--proc", str(proc), "--socket", str(fds[1])], pass_fds=fds)
        os.close(proc)
    try:
        yield address
        assert helper.poll() is None
    finally:
        helper.kill()
        helper.wait()


def connected(address: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.connect(str(address))
    made.settimeout(60)
    return made


def test_of_descriptors_that_are_no_listeners_none_is_kept(helpers: Path, tmp_path: Path) -> None:
    with listening(helpers, tmp_path) as address:
        for count in (1, 2):
            ours, theirs = os.pipe()
            with connected(address) as one:
                socket.send_fds(one, [struct.pack("=II", 0, 0)], [theirs] * count)
                os.close(theirs)
                assert one.recv(1) == b""
            readable, _, _ = select.select([ours], [], [], 60)
            assert readable == [ours]  # its end: nobody has the other one
            assert os.read(ours, 1) == b""
            os.close(ours)


def test_a_user_of_a_thousand_groups_may_become_another(helpers: Path, tmp_path: Path) -> None:
    """The line of his groups is longer than what was read of /proc/PID/status: no capability was found, setuid(2) was EPERM."""
    groups = ",".join(map(str, range(2000, 3000)))
    argv = [*ONE_ID, "--map-auto", "--kill-child", "--fork", "setpriv", "--groups", groups, sys.executable, str(HERE / "ids_driver.py")]
    done = subprocess.run(
        [*argv, str(helpers), "full", "setpriv", "--reuid", "33", "--keep-groups", "id", "-u"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(HERE.parents[1])}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("33\n", "")
