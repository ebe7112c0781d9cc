"""A container from a bare script: reads a request as JSON, starts it, plays its client, answers as JSON.

A process of its own, because joining the session changes a process for good and wants one thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import sys
import time
from typing import Any

from rootless.errors import RootlessError, to_data
from rootless.linux import socket
from rootless.linux.process import start_time
from rootless.linux.socket import receive_packet
from rootless.runtime import exec as runtime_exec
from rootless.runtime.launch.launch import LaunchedContainer, LaunchRequest, MonitorOptions, Stdio, launch
from rootless.runtime.mounts.rootfs import Rootfs, mounted, run_in_root
from rootless.session import session


def main() -> None:
    request = json.load(sys.stdin)
    answer: dict[str, Any] = {}
    try:
        if request["verb"] == "run":
            answer = run(request)
        elif request["verb"] == "exec":
            answer = execute(request)
        else:
            answer = look(request)
    except RootlessError as error:
        answer = {"error": to_data(error), "exit_code": error.exit_code}
    print(json.dumps(answer))


def root_of(request: dict[str, Any]) -> Rootfs:
    base = request["directory"]
    if request.get("driver", "overlay") == "directory":
        return Rootfs("directory", (), "", "", request["layer"], False)
    return Rootfs(
        request.get("driver", "overlay"),
        (request["layer"],),
        f"{base}/upper",
        f"{base}/work",
        f"{base}/merged",
        False,
    )


def run(request: dict[str, Any]) -> dict[str, Any]:
    session.join()
    recorded: list[LaunchedContainer] = []

    def network(pid: int, namespaces: tuple[int, int]) -> dict[str, Any]:
        assert all(os.fstat(fd) for fd in namespaces)
        if request.get("network_error"):
            raise RootlessError(request["network_error"])
        return {"address": "10.0.2.100", **request.get("network_more", {})}

    launched = launch(
        LaunchRequest(
            spec=request["spec"],
            root=root_of(request),
            container_dir=request["directory"],
            run_dir=request["run"],
            stdio=Stdio(request.get("terminal", False), bool(request.get("stdin")), 30, 100),
            supervision=MonitorOptions(no_sync=True),
            network=network if request.get("network") else None,
            record=recorded.append,
            client=True,
        )
    )
    if request.get("background"):
        os.waitpid(-1, os.WNOHANG)
        return launched._asdict()
    return follow(launched, request.get("stdin", ""))


def follow(launched: LaunchedContainer, stdin: str) -> dict[str, Any]:
    client = socket.socket(fileno=launched.attach_fd)
    try:
        client.send(b"\3")
        if stdin:
            client.send(b"\0" + stdin.encode())
            client.send(b"\1")
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has ended already; what it said is still to be read
    output = {0x10: b"", 0x11: b""}
    status = None
    while status is None:
        packet = receive_packet(client, 1 << 16)
        assert packet, "the monitor went away"
        if packet[0] == 0x12:
            status = struct.unpack("i", packet[1:])[0]
        else:
            output[packet[0]] += packet[1:]
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.send(b"\4")
    client.close()
    os.waitpid(launched.monitor_pid, 0)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "stdout": output[0x10].decode(),
        "stderr": output[0x11].decode(),
        "network": launched.network,
    }


def execute(request: dict[str, Any]) -> dict[str, Any]:
    pid = request["pid"]
    kind = runtime_exec.TERMINAL if request.get("terminal") else runtime_exec.PIPES
    entered = runtime_exec.exec_in_container(
        runtime_exec.ExecRequest(
            pid=pid,
            start_time=request.get("start_time") or start_time(pid),
            process=request["process"],
            stdio=runtime_exec.ExecStdio(kind, bool(request.get("stdin"))),
            linux={"seccomp": request.get("seccomp")},
            cache_dir=request["run"] + "/seccomp",
        )
    )
    if request.get("stdin"):
        os.write(entered.stdin_fd, request["stdin"].encode())
        os.close(entered.stdin_fd)
    found = {fd: b"" for fd in (entered.terminal_fd, entered.stdout_fd, entered.stderr_fd) if fd >= 0}
    open_fds = set(found)
    deadline = time.monotonic() + 60
    while open_fds and time.monotonic() < deadline:
        for fd in select.select(list(open_fds), [], [], 1)[0]:
            try:
                block = os.read(fd, 4096)
            except OSError:  # EIO: the terminal's other side is closed
                block = b""
            found[fd] += block
            if not block:
                open_fds.discard(fd)
    status = os.waitstatus_to_exitcode(runtime_exec.wait(entered))
    out = found.get(entered.terminal_fd, found.get(entered.stdout_fd, b""))
    return {"status": status, "stdout": out.decode(), "stderr": found.get(entered.stderr_fd, b"").decode()}


def look(request: dict[str, Any]) -> dict[str, Any]:
    session.join()
    root = root_of(request)
    with mounted(root) as fd:
        names = sorted(os.listdir(fd))
    inside = run_in_root(root, lambda: sorted(os.listdir("/")))
    return {"mounted": names, "inside": inside, "host": os.path.exists(f"{root.path}/bin")}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
