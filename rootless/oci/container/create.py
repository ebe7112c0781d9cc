"""From a bundle to a container whose init waits to be started: the side outside of it. HOT.

The init is our own child, made straight into its namespaces; when we end it becomes the child of
the caller's subreaper (conmon, a shim), which supervises it. Until state.json stands, whatever
ends us ends the init too.
"""

from __future__ import annotations

import os

from rootless import jsontext
from rootless.errors import FAILURES, RootlessError
from rootless.linux import socket
from rootless.linux.namespace import CLONE_NEWNET
from rootless.linux.process import boot_id, start_time
from rootless.linux.socket import address_in
from rootless.oci import console
from rootless.oci.container import user_namespace
from rootless.oci.container.init_callbacks import OciInitCallbacks
from rootless.oci.container.init_config import CreateRequest, build_init_config, open_namespaces
from rootless.oci.container.new_state import NewStateDirectory
from rootless.oci.hooks import run_hooks
from rootless.oci.log import LOG
from rootless.oci.state import CREATING, SOCKET, state_document
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import child, namespaces
from rootless.runtime.clone import CLONE_PARENT, clone
from rootless.runtime.launch import init
from rootless.runtime.process.sealed_exec import terminal_of
from rootless.runtime.sync import Channel, pair

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.cgroup.cgroup import Cgroup


class Created(Record):
    """A container that is ready. `terminal` is its master, -1 where it has none or it was handed on;
    `channel` leads to its init where it does not wait at a socket."""

    pid: int
    terminal: int
    channel: Channel
    state: dict[str, Any]
    cgroup: Cgroup


class _Make:
    """What has been made so far, so that an error can unmake it."""

    def __init__(self) -> None:
        self.pid = -1
        self.cgroup: Cgroup | None = None

    def undo(self) -> None:
        if self.pid > 0:
            try:
                pidfd = child.open_child(self.pid)
            except RootlessError:
                pass
            else:
                child.end(pidfd)
                os.close(pidfd)
        if self.cgroup is not None:
            self.cgroup.remove()


def create(request: CreateRequest, new_state: NewStateDirectory) -> Created:
    """Make the container of `request` in the directory `new_state`; nothing is left where this raises.

    The caller has one thread.
    """
    made = _Make()
    try:
        return _create(request, new_state, made)
    except BaseException:
        made.undo()
        raise


def _create(request: CreateRequest, new_state: NewStateDirectory, made: _Make) -> Created:
    spec = request.bundle.spec
    process = spec["process"]
    console.check(request.console_socket, terminal=bool(process.get("terminal")), detach=request.detach)
    _default_names(spec)
    capable = user_namespace.is_capable()
    linux = spec["linux"]
    own_user = user_namespace.wants_user_namespace(linux, capable=capable)
    maps = user_namespace.maps(linux, capable=capable) if own_user else None
    _mark_idmapped(spec)
    joined = open_namespaces(linux, own_user=own_user)
    devices = linux.get("netDevices") or {}
    if devices:
        from rootless.oci.container import net_devices

        own_network = bool(joined.new & CLONE_NEWNET) or any(kind == "network" for kind, _ in joined.fds)
        net_devices.check(spec, capable=capable, own_network=own_network)
    state = state_document(
        request.id, CREATING, 0, request.bundle.path, spec.get("annotations") or {}, spec["ociVersion"]
    )
    listener = record_fd = -1
    if request.waits:
        listener = _listen(new_state.directory)
        record_fd = new_state.open_record()
    callbacks = OciInitCallbacks(spec, state, listener, record_fd, request.detach)
    config = build_init_config(request, joined, maps, callbacks, capable=capable)
    made.cgroup = request.place(spec, request.id)
    for step in config.plan:
        LOG.debug(step.describe())

    to_init, from_supervisor = pair(cloned=bool(joined.fds))
    made.pid = _clone(config, joined, made.cgroup, to_init, from_supervisor)
    from_supervisor.close()
    for fd in (*(config.stdio or ()), listener, record_fd, config.program, *(fd for _, fd in joined.fds)):
        if fd >= 0:
            os.close(fd)
    if maps is not None:
        user_namespace.write_maps(made.pid, maps)
    made.cgroup.enter(made.pid)
    # Before "mapped": afterwards it cannot be looked into.
    network = namespaces.open_of(made.pid, "net") if devices and not config.undumpable else -1
    to_init.send("mapped")
    if config.undumpable:
        user, network = to_init.expect("namespaces").fds
        os.close(user)
    if devices:
        net_devices.move(devices, network)
    if network >= 0:
        os.close(network)
    # While the init mounts.
    new_state.write("config.json", request.bundle.text)
    started = start_time(made.pid)
    document = _record(request, made.pid, started, made.cgroup)
    message = to_init.receive("mounted", "ready")
    if message is not None and message.kind == "mounted":
        state["pid"] = made.pid
        run_hooks(spec, "prestart", state)
        run_hooks(spec, "createRuntime", state)
        to_init.send("hooked", {"pid": made.pid})
        message = to_init.receive("ready")
    if message is None:
        raise RootlessError("the container's init was killed before it was ready")
    terminal = terminal_of(message) if message.fds else -1
    if terminal >= 0 and request.console_socket:
        console.send_terminal(request.console_socket, terminal)
        os.close(terminal)
        terminal = -1
    made.cgroup.apply_late_limits()
    LOG.debug(f"pid {made.pid}, cgroup {made.cgroup.path or 'none'}, ids mapped: {maps.how if maps else 'no'}")
    created = Created(made.pid, terminal, to_init, state, made.cgroup)
    if request.waits:
        to_init.send("created")
        to_init.expect("waiting")
    if request.pid_file:
        write_pid(request.pid_file, created.pid)
    new_state.commit(document)  # from now on the container exists
    return created


def _mark_idmapped(spec: dict[str, Any]) -> None:
    # runc and crun take a mount's mappings alone as the request.
    for entry in spec.get("mounts") or []:
        words = entry.get("options") or []
        if entry.get("uidMappings") and not {"idmap", "ridmap"} & set(words):
            entry["options"] = [*words, "idmap"]


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


def _clone(
    config: init.InitConfig, joined: namespaces.Joined, cgroup: Cgroup, to_init: Channel, from_supervisor: Channel
) -> int:
    if not joined.fds:
        try:
            pid = cgroup.clone(joined.new)
        except OSError as error:
            raise namespaces.refused(error) from None
        if pid == 0:
            to_init.close()
            init.run_init(config, from_supervisor)
        return pid
    # Whoever enters a pid namespace cannot have other children outside: B goes, and the init
    # becomes our child all the same.
    from rootless.runtime import descriptors
    from rootless.runtime.launch.intermediate import join_namespaces

    between = os.fork()
    if between == 0:
        step = "join namespaces"
        try:
            join_namespaces(config, joined, from_supervisor, (to_init.fileno(),))
            step = "make the namespaces"
            pid = clone(joined.new | CLONE_PARENT)
            if pid == 0:
                to_init.close()
                from_supervisor.send("cloned")
                init.run_init(config, from_supervisor)
        except FAILURES as error:
            from_supervisor.send_error(error, step=step)
        finally:
            descriptors.drop_everything()
            os._exit(0)
    try:
        return to_init.expect_cloned()
    finally:
        os.waitpid(between, 0)


def write_pid(path: str, pid: int) -> None:
    """The pid file callers wait for: aside and renamed, so that they never read half of it."""
    aside = f"{path}.{os.getpid()}"
    try:
        with open(aside, "w") as file:
            file.write(str(pid))
        os.rename(aside, path)
    except OSError as error:
        raise RootlessError(f"cannot write the pid file {path}: {error.strerror}") from None


def _record(request: CreateRequest, pid: int, started: int, cgroup: Cgroup) -> bytes:
    """What state.json will say."""
    spec = request.bundle.spec
    document = {
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
    return jsontext.dumps(document).encode()


def _now() -> str:
    import time

    now = time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}Z"
