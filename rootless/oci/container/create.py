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
from rootless.oci import console
from rootless.oci.container import user_namespace
from rootless.oci.container.init_callbacks import Gate
from rootless.oci.container.init_config import Wish, make_birth, open_namespaces
from rootless.oci.container.new_state import Claim
from rootless.oci.hooks import run_hooks
from rootless.oci.log import LOG
from rootless.oci.state import CREATING, SOCKET, state_document, with_directory
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


def create(wish: Wish, claim: Claim) -> Created:
    """Make the container of `wish` in the directory `claim`; nothing is left where this raises.

    The caller has one thread.
    """
    made = _Make()
    try:
        return _create(wish, claim, made)
    except BaseException:
        made.undo()
        raise


def _create(wish: Wish, claim: Claim, made: _Make) -> Created:
    spec = wish.bundle.spec
    process = spec["process"]
    console.check(wish.console_socket, terminal=bool(process.get("terminal")), detach=wish.detach)
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
        wish.id, CREATING, 0, wish.bundle.path, spec.get("annotations") or {}, spec["ociVersion"]
    )
    listener = record_fd = -1
    if wish.waits:
        listener = _listen(claim.directory)
        record_fd = claim.open_record()
    gate = Gate(spec, state, listener, record_fd, wish.detach)
    birth = make_birth(wish, joined, maps, gate, capable=capable)
    made.cgroup = wish.place(spec, wish.id)
    for step in birth.plan:
        LOG.debug(step.describe())

    to_c, from_a = pair(cloned=bool(joined.fds))
    made.pid = _clone(birth, joined, made.cgroup, to_c, from_a)
    from_a.close()
    for fd in (*(birth.stdio or ()), listener, record_fd, birth.program, *(fd for _, fd in joined.fds)):
        if fd >= 0:
            os.close(fd)
    if maps is not None:
        user_namespace.write_maps(made.pid, maps)
    made.cgroup.enter(made.pid)
    # Before "mapped": afterwards it cannot be looked into.
    network = namespaces.open_of(made.pid, "net") if devices and not birth.hidden else -1
    to_c.send("mapped")
    if birth.hidden:
        user, network = to_c.expect("namespaces").fds
        os.close(user)
    if devices:
        net_devices.move(devices, network)
    if network >= 0:
        os.close(network)
    # While the init mounts.
    claim.write("config.json", wish.bundle.text)
    started = start_time(made.pid)
    document = _record(wish, made.pid, started, made.cgroup)
    message = to_c.receive("mounted", "ready")
    if message is not None and message.kind == "mounted":
        state["pid"] = made.pid
        run_hooks(spec, "prestart", state)
        run_hooks(spec, "createRuntime", state)
        to_c.send("hooked", {"pid": made.pid})
        message = to_c.receive("ready")
    if message is None:
        raise RootlessError("the container's init was killed before it was ready")
    terminal = terminal_of(message) if message.fds else -1
    if terminal >= 0 and wish.console_socket:
        console.send_terminal(wish.console_socket, terminal)
        os.close(terminal)
        terminal = -1
    made.cgroup.settle(made.pid)
    LOG.debug(f"pid {made.pid}, cgroup {made.cgroup.path or 'none'}, ids mapped: {maps.how if maps else 'no'}")
    created = Created(made.pid, terminal, to_c, state, made.cgroup)
    if wish.waits:
        to_c.send("created")
        to_c.expect("waiting")
    if wish.pid_file:
        write_pid(wish.pid_file, created.pid)
    claim.keep(document)  # from now on the container exists
    return created


def _mark_idmapped(spec: dict[str, Any]) -> None:
    # runc and crun take a mount's mappings alone as the wish.
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
    with_directory(directory, sock.bind)
    os.chmod(os.path.join(directory, SOCKET), 0o600)
    sock.listen(8)
    return sock.detach()


def _clone(
    birth: init.Birth, joined: namespaces.Joined, cgroup: Cgroup, to_c: Channel, from_a: Channel
) -> int:
    if not joined.fds:
        try:
            pid = cgroup.clone(joined.new)
        except OSError as error:
            raise namespaces.refused(error) from None
        if pid == 0:
            to_c.close()
            init.live(birth, from_a)
        return pid
    # Whoever enters a pid namespace cannot have other children outside: B goes, and the init
    # becomes our child all the same.
    from rootless.runtime import descriptors
    from rootless.runtime.launch.intermediate import enter_joined

    between = os.fork()
    if between == 0:
        step = "join namespaces"
        try:
            enter_joined(birth, joined, from_a, (to_c.fileno(),))
            step = "make the namespaces"
            pid = clone(joined.new | CLONE_PARENT)
            if pid == 0:
                to_c.close()
                from_a.send("cloned")
                init.live(birth, from_a)
        except FAILURES as error:
            from_a.send_error(error, step=step)
        finally:
            descriptors.leave_nothing()
            os._exit(0)
    try:
        return to_c.expect_cloned()
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


def _record(wish: Wish, pid: int, started: int, cgroup: Cgroup) -> bytes:
    """What state.json will say."""
    spec = wish.bundle.spec
    document = {
        "id": wish.id,
        "version": spec["ociVersion"],
        "pid": pid,
        "start_time": started,
        "boot": boot_id(),
        "bundle": wish.bundle.path,
        "rootfs": wish.bundle.rootfs,
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
