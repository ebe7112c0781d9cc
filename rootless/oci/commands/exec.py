"""`exec`: one more process in a container, with what its configuration gives the first. Hot path."""

from __future__ import annotations

import os

from rootless.errors import Conflict, InvalidInput, NotFound, NotSupported
from rootless.linux import socket
from rootless.oci import console, state
from rootless.oci.commands.flags import pass_listen_fds, preserved, root_of
from rootless.oci.config.bundle import check_process, read_process
from rootless.oci.container.forward_signals import forward_signals
from rootless.oci.container.wait_for_exec import send_to_listener
from rootless.record import TYPE_CHECKING
from rootless.runtime import child, namespaces
from rootless.runtime.descriptors import close_all
from rootless.runtime.exec import (
    INHERITED,
    TERMINAL,
    CgroupTarget,
    ExecRequest,
    ExecStdio,
    exec_in_container,
    wait,
)
from rootless.runtime.sync import Channel

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments

# What changes the container's own process; --process brings one of its own.
_CHANGES = ("--cwd", "--env", "--user", "--additional-gids", "--no-new-privs", "--process-label", "--apparmor", "--cap")
_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def command(args: Arguments) -> int:
    """Run the process; returns its exit status, or 0 with --detach."""
    root = root_of(args)
    count = preserved(args)
    container = state.find(root, args.words[0])
    found = container.status()
    if found == state.STOPPED:
        raise Conflict(f"cannot exec in container {container.id}: it has stopped, container not running")
    if found == state.PAUSED and not args.flag("--ignore-paused"):
        raise Conflict(f"cannot exec in container {container.id}: it is paused")
    spec = container.config()
    process = _process(args, spec["process"])
    pass_listen_fds(process)
    terminal = bool(process.get("terminal"))
    detach = args.flag("--detach")
    socket_path = args.value("--console-socket")
    console.check(socket_path, terminal=terminal, detach=detach)
    size = process.get("consoleSize") or console.own_size(process, socket_path)
    entered = exec_in_container(
        ExecRequest(
            pid=container.pid,
            start_time=container.start_time,
            process=process,
            stdio=ExecStdio(
                TERMINAL if terminal else INHERITED,
                rows=int(size.get("height") or 0),
                columns=int(size.get("width") or 0),
            ),
            cgroup=CgroupTarget(_cgroup(container, args.value("--cgroup")), container.unit),
            linux=spec.get("linux") or {},
            cache_dir=os.path.join(root, ".seccomp"),
            preserve_fds=count,
            namespaces=_waiting(container) if found == state.CREATED else None,
            listener=send_to_listener(spec, container.document(found)),
        )
    )
    master = entered.terminal_fd
    if master >= 0 and socket_path:
        console.send_terminal(socket_path, master)
        os.close(master)
        master = -1
    if path := args.value("--pid-file"):
        from rootless.oci.container.pid_file import write_pid

        write_pid(path, entered.pid)
    if detach:
        return 0
    forward_signals(entered.pidfd)
    if master >= 0:
        from rootless.oci.terminal_relay import relay

        status = relay(master, entered.pid, entered.pidfd)
    else:
        status = wait(entered)
    return child.exit_code(status)


def _waiting(container: state.Container) -> tuple[tuple[int, int], ...] | None:
    """The namespaces of a created container, from its init, which is undumpable as long as it waits; None where it
    has been started meanwhile."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel(client)
    received: dict[str, int] = {}
    try:
        state.connect(container.directory, client)
        channel.send("join")
        while (message := channel.receive("namespace")) is not None:
            received[message.data["type"]] = message.fds[0]
    except OSError:
        close_all(received.values())
        return None
    finally:
        channel.close()
    return namespaces.differing(received) if received else None


def _cgroup(container: state.Container, below: str | None) -> str:
    """The container's cgroup, or the one `below` it that --cgroup names: of cgroup v2, and there."""
    if below is None:
        return container.cgroup
    if not container.cgroup:
        raise NotSupported(f"--cgroup: container {container.id} has no cgroup")
    if ":" in below:
        raise NotSupported(f"--cgroup: {below!r} names a controller, as for cgroup v1: there is only v2")
    path = os.path.normpath(f"{container.cgroup}/{below}")
    if path != container.cgroup and not path.startswith(f"{container.cgroup}/"):
        raise InvalidInput(f"--cgroup: {below!r} is not below the container's cgroup")
    if not os.path.isdir(path):
        raise NotFound(f"--cgroup: there is no cgroup {path}")
    return path


def _process(args: Arguments, first: dict[str, Any]) -> dict[str, Any]:
    """The process to run: --process's, or the container's own with what the options change."""
    given = args.value("--process")
    if given is not None:
        if len(args.words) > 1:
            raise InvalidInput("--process has the command: none may follow")
        for name in _CHANGES:
            if args.flag(name) or args.value(name) is not None or name in args.lists:
                raise InvalidInput(f"{name} does not go with --process, which has it all")
        process = read_process(given)
        return {**process, "terminal": True} if args.flag("--tty") else process
    if len(args.words) < 2:
        raise InvalidInput("no command specified")
    process = {**first, "args": args.words[1:], "terminal": args.flag("--tty")}
    process.pop("consoleSize", None)
    if cwd := args.value("--cwd"):
        process["cwd"] = cwd
    process["env"] = [*(first.get("env") or []), *args.lists.get("--env", [])]
    if user := args.value("--user"):
        process["user"] = _user(user)
    if groups := args.lists.get("--additional-gids"):
        process["user"] = {**process.get("user", {}), "additionalGids": [_number(word) for word in groups]}
    if args.flag("--no-new-privs"):
        process["noNewPrivileges"] = True
    if label := args.value("--process-label"):
        process["selinuxLabel"] = label
    if profile := args.value("--apparmor"):
        process["apparmorProfile"] = profile
    if more := args.lists.get("--cap"):
        # As runc: never inheritable, and ambient where it is that already.
        sets = dict(first.get("capabilities") or {})
        for name in _SETS[:3]:
            sets[name] = [*(sets.get(name) or []), *more]
        inheritable = sets.get("inheritable") or []
        sets["ambient"] = [*(sets.get("ambient") or []), *(name for name in more if name in inheritable)]
        process["capabilities"] = sets
    check_process(process, "exec")
    return process


def _user(text: str) -> dict[str, Any]:
    uid, _, gid = text.partition(":")
    return {"uid": _number(uid), "gid": _number(gid or "0")}


def _number(text: str) -> int:
    if not text.isdecimal():
        raise InvalidInput(f"{text!r} is not a numeric id")
    return int(text)
