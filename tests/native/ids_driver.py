"""`ids_driver.py HELPERS LEVEL COMMAND...`: runs COMMAND with emulated ids, in a pid namespace of its own.

The caller is root of a user namespace of one id. With IDS_USAGE in the environment the helper's exit status and most
memory (KiB) are told at the end: it has ended with the last process."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from rootless.linux.namespace import CLONE_NEWNS, CLONE_NEWPID, unshare
from rootless.linux.process import set_pdeathsig
from rootless.linux.seccomp import (
    SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    load_filter,
)


def high_water(pid: int) -> int:
    """The most memory that the process has had, KiB; 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0)
    except FileNotFoundError:
        return 0


def main(helpers: str, level: str, command: list[str]) -> int:
    program = f"{helpers}/rootless-ids"
    bpf = subprocess.run([program, "--filter", level], stdout=subprocess.PIPE, check=True).stdout
    if level == "fake":
        load_filter(bpf)
        os.execvp(command[0], command)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with tempfile.TemporaryDirectory() as place:
        listening.bind(f"{place}/ids")
        listening.listen()
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        fds = (proc, listening.fileno())
        helper = subprocess.Popen([program, "--proc", str(proc), "--socket", str(fds[1])], pass_fds=fds)
        listening.close()
        unshare(CLONE_NEWPID | CLONE_NEWNS)
        child = os.fork()
        if child == 0:
            set_pdeathsig(signal.SIGKILL)
            subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            connection.connect(f"{place}/ids")
            listener = load_filter(bpf, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
            socket.send_fds(connection, [struct.pack("=II", 0, 0)], [listener])
            os.close(listener)
            assert connection.recv(1) == b"\0"
            os.execvp(command[0], command)
        ended, status, most = 0, 0, 0
        while not ended:
            ended, status = os.waitpid(child, os.WNOHANG if "IDS_USAGE" in os.environ else 0)
            most = max(most, high_water(helper.pid))
            time.sleep(0 if ended else 0.01)
        status = os.waitstatus_to_exitcode(status)
        code = helper.wait(60)
        if "IDS_USAGE" in os.environ:
            print("helper", code, most)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
