"""From a bundle to a container whose init waits to be started: the side outside of it.

The init is our own child, cloned straight into its namespaces. When we end it becomes the child of the
caller's subreaper (conmon, a shim), which supervises it. Until state.json stands, the init dies with us. Hot path.
"""

from __future__ import annotations

import os

from rootless import jsontext
from rootless.errors import RootlessError
from rootless.linux import socket
from rootless.linux.namespace import CLONE_NEWNET
from rootless.linux.process import boot_id, start_time
from rootless.linux.socket import address_in
from rootless.oci import console, facts
from rootless.oci.container import user_namespace
from rootless.oci.container.init_callbacks import OciInitCallbacks
from rootless.oci.container.init_config import CreateRequest, build_config, open_namespaces
from rootless.oci.container.new_state import NewStateDirectory
from rootless.oci.log import LOG
from rootless.oci.state import CREATING, SOCKET, Container, state_document
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import child
from rootless.runtime.descriptors import close_all
from rootless.runtime.hooks import run_hooks
from rootless.runtime.launch.start_init import StartedInit, start_init
from rootless.runtime.namespaces import is_mapped
from rootless.runtime.process.sealed_exec import terminal_of
from rootless.runtime.sync import Channel
from rootless.undo import Undo

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.cgroup.cgroup import Cgroup
    from rootless.runtime.launch.init import InitConfig
    from rootless.runtime.namespaces import Joined


class CreatedContainer(Record):
    """A container that is ready. `terminal` is its master, -1 where it has none or it was handed on;
    `channel` leads to its init where it does not wait at a socket. The descriptors are the caller's."""

    pid: int
    pidfd: int
    terminal: int
    channel: Channel
    state: dict[str, Any]
    cgroup: Cgroup


class _Prepared(Record):
    """What is known before there is a process. `state` is the document for hooks, less the pid."""

    config: InitConfig
    joined: Joined
    maps: user_namespace.Maps | None
    state: dict[str, Any]


def create(request: CreateRequest, new_state: NewStateDirectory) -> CreatedContainer:
    """Make the container of `request` in the directory `new_state`; nothing is left where this raises.

    The caller has one thread.
    """
    prepared = _prepare(request, new_state)
    maps = prepared.maps
    write_maps = (lambda pid: user_namespace.write_maps(pid, maps)) if maps is not None else None
    with Undo() as undo:
        cgroup = request.create_cgroup(request.bundle.spec, request.id)
        undo.add(cgroup.remove)
        for step in prepared.config.plan:
            LOG.debug(step.describe())
        started = start_init(prepared.config, prepared.joined, write_maps, cgroup)
        undo.add(lambda: child.end(started.pidfd))
        _move_devices(request.bundle.spec, started)
        # While the init mounts.
        new_state.write("config.json", request.bundle.text)
        record = _record(request, started.pid, start_time(started.pid), cgroup)
        terminal = _terminal(request, _wait_until_ready(request.bundle.spec, prepared.state, started))
        cgroup.apply_late_limits()
        LOG.debug(f"pid {started.pid}, cgroup {cgroup.path or 'none'}, ids mapped: {maps.how if maps else 'no'}")
        if request.waits:
            started.channel.send("created")
            started.channel.expect("waiting")
        if request.pid_file:
            from rootless.oci.container.pid_file import write_pid

            write_pid(request.pid_file, started.pid)
        if (known := facts.text(Container(root=request.root, **record), request.bundle.spec)) is not None:
            new_state.write("facts", known)
        new_state.commit(jsontext.dumps(record).encode())  # from now on the container exists
    return CreatedContainer(started.pid, started.pidfd, terminal, started.channel, prepared.state, cgroup)


def _prepare(request: CreateRequest, new_state: NewStateDirectory) -> _Prepared:
    """Everything that can fail for reasons in the request."""
    spec = request.bundle.spec
    terminal = bool(spec["process"].get("terminal"))
    console.check(request.console_socket, terminal=terminal, detach=request.detach)
    _default_names(spec)
    capable = user_namespace.is_capable()
    linux = spec["linux"]
    own_user = user_namespace.wants_user_namespace(linux, capable=capable)
    maps = user_namespace.maps(linux, capable=capable) if own_user else None
    _mark_idmapped(spec)
    _leave_out_unmapped_groups(spec, maps)
    joined = open_namespaces(linux, own_user=own_user)
    if linux.get("netDevices"):
        from rootless.oci.container import net_devices

        own_network = bool(joined.new & CLONE_NEWNET) or any(kind == "network" for kind, _ in joined.fds)
        net_devices.check(spec, capable=capable, own_network=own_network)
    annotations = spec.get("annotations") or {}
    state = state_document(request.id, CREATING, 0, request.bundle.path, annotations, spec["ociVersion"])
    listener = record_fd = -1
    if request.waits:
        listener = _listen(new_state.directory)
        record_fd = new_state.open_record()
    callbacks = OciInitCallbacks(spec, state, listener, record_fd, request.detach, [])
    config = build_config(request, joined, maps, callbacks, capable=capable)
    return _Prepared(config, joined, maps, state)


def _move_devices(spec: dict[str, Any], started: StartedInit) -> None:
    """Move linux.netDevices into the init's network namespace; its namespaces' descriptors are closed."""
    try:
        if devices := spec["linux"].get("netDevices"):
            from rootless.oci.container import net_devices

            net_devices.move(devices, started.network_fd)
    finally:
        close_all((started.user_fd, started.network_fd))


def _wait_until_ready(spec: dict[str, Any], state: dict[str, Any], started: StartedInit) -> int:
    """Run the hooks between the init's mounts and its pivot_root, wait for "ready". Returns its terminal, or -1."""
    message = started.channel.receive("mounted", "ready")
    if message is not None and message.kind == "mounted":
        state["pid"] = started.pid
        run_hooks(spec, "prestart", state)
        run_hooks(spec, "createRuntime", state)
        started.channel.send("hooked", {"pid": started.pid})
        message = started.channel.receive("ready")
    if message is None:
        raise RootlessError("the container's init was killed before it was ready")
    return terminal_of(message) if message.fds else -1


def _terminal(request: CreateRequest, master: int) -> int:
    """Send the terminal to the console socket. Returns it, or -1 where it was sent."""
    if master < 0 or not request.console_socket:
        return master
    console.send_terminal(request.console_socket, master)
    os.close(master)
    return -1


def _mark_idmapped(spec: dict[str, Any]) -> None:
    # runc and crun take a mount's mappings alone as the request.
    for entry in spec.get("mounts") or []:
        words = entry.get("options") or []
        if entry.get("uidMappings") and not {"idmap", "ridmap"} & set(words):
            entry["options"] = [*words, "idmap"]


def _leave_out_unmapped_groups(spec: dict[str, Any], maps: user_namespace.Maps | None) -> None:
    """devpts refuses a `gid=` without an id in the container; everybody asks for 5. Terminals are then their opener's
    group's."""
    text = ""
    for index, entry in enumerate(spec.get("mounts") or []):
        words = entry.get("options") or []
        if entry.get("type") != "devpts" or not any(word.startswith("gid=") for word in words):
            continue
        text = text or user_namespace.gid_map(spec["linux"], maps)
        for word in words:
            group = word.removeprefix("gid=")
            if group != word and group.isdecimal() and not is_mapped(text, int(group)):
                entry["options"] = [kept for kept in entry["options"] if kept != word]
                LOG.warn(f"config.json: mounts[{index}].options: {word} is left out: the container has no such group")


def _default_names(spec: dict[str, Any]) -> None:
    """The runtime gives every container a host name; here one that has none keeps the host's."""
    if spec.get("linux") is None:
        spec["linux"] = {}
    spec.setdefault("hostname", os.uname().nodename)


def _listen(directory: str) -> int:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with address_in(directory, SOCKET) as address:
        sock.bind(address)
    os.chmod(os.path.join(directory, SOCKET), 0o600)
    sock.listen(8)
    return sock.detach()


def _record(request: CreateRequest, pid: int, started: int, cgroup: Cgroup) -> dict[str, Any]:
    """What state.json says."""
    spec = request.bundle.spec
    return {
        "id": request.id,
        "version": spec["ociVersion"],
        "pid": pid,
        "start_time": started,
        "boot": boot_id(),
        "bundle": request.bundle.path,
        "rootfs": request.bundle.rootfs,
        "created": _now(),
        "owner": str(os.getuid()),
        "annotations": spec.get("annotations") or {},
        "cgroup": cgroup.path,
        "unit": cgroup.unit,
    }


def _now() -> str:
    import time

    now = time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}Z"
