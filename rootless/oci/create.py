"""From a bundle to a container whose init waits to be started: the side outside of it. HOT.

The init is our own child, made straight into its namespaces; when we end it becomes the child of
the caller's subreaper (conmon, a shim), which supervises it. Until state.json stands, whatever
ends us ends the init too.
"""

from __future__ import annotations

import os

from rootless import jsontext
from rootless.errors import Conflict, InvalidInput, RootlessError
from rootless.linux import namespace as n
from rootless.linux import signal, socket
from rootless.linux.process import boot_id, start_time
from rootless.oci import console, identity
from rootless.oci.binds import open_binds
from rootless.oci.config import Bundle
from rootless.oci.gate import Gate
from rootless.oci.hooks import run_hooks
from rootless.oci.state import CREATING, SOCKET, Claim, state_document, with_directory
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import container, credentials, namespaces, seccomp
from rootless.runtime.clone import CLONE_PARENT, clone
from rootless.runtime.plan import Circumstances, build_plan
from rootless.runtime.root import Root
from rootless.runtime.steps import Bind
from rootless.runtime.wire import Channel, pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rootless.oci.cgroups import Cgroup


class Wish(Record):
    """What the command line adds to a bundle. `detach`: the container outlives us."""

    id: str
    root: str
    bundle: Bundle
    console_socket: str | None
    preserve_fds: int
    pivot: bool
    keyring: bool
    detach: bool
    waits: bool  # for `start`; else it runs as soon as it can
    pid_file: str | None
    place: Callable[[dict[str, Any], str], Cgroup]


class Created(Record):
    """A container that is ready. `terminal` is its master, -1 where it has none or it was handed on;
    `channel` leads to its init where it does not wait at a socket."""

    pid: int
    start_time: int
    terminal: int
    channel: Channel
    state: dict[str, Any]


class _Make:
    """What has been made so far, so that an error can unmake it."""

    def __init__(self) -> None:
        self.pid = -1
        self.cgroup: Cgroup | None = None

    def undo(self) -> None:
        if self.pid > 0:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
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
    capable = identity.is_capable()
    linux = spec["linux"]
    own_user = identity.wants_user_namespace(linux, capable=capable)
    maps = identity.maps(linux, capable=capable) if own_user else None
    _mark_idmapped(spec)
    joined = _namespaces(linux, own_user=own_user)
    state = state_document(
        wish.id, CREATING, 0, wish.bundle.path, spec.get("annotations") or {}, spec["ociVersion"]
    )
    listener = record_fd = -1
    if wish.waits:
        listener = _listen(claim.directory)
        record_fd = claim.open_record()
    gate = Gate(spec, state, listener, record_fd, wish.detach)
    birth = _birth(wish, joined, maps, gate, capable=capable)
    claim.write("config.json", wish.bundle.text)
    made.cgroup = wish.place(spec, wish.id)

    to_c, from_a = pair()
    made.pid = _clone(birth, joined, made.cgroup, to_c, from_a)
    from_a.close()
    for fd in (*(birth.stdio or ()), listener, record_fd, *(fd for _, fd in joined.fds)):
        if fd >= 0:
            os.close(fd)
    if maps is not None:
        identity.write_maps(made.pid, maps)
    made.cgroup.enter(made.pid)
    to_c.send("mapped")
    message = to_c.receive()
    if message is not None and message.kind == "mounted":
        state["pid"] = made.pid
        run_hooks(spec, "prestart", state)
        run_hooks(spec, "createRuntime", state)
        to_c.send("hooked", {"pid": made.pid})
        message = to_c.receive()
    if message is None or message.kind != "ready":
        raise RootlessError("the container's init was killed before it was ready")
    terminal = message.fds[0] if message.fds else -1
    if terminal >= 0 and wish.console_socket:
        console.send_terminal(wish.console_socket, terminal)
        os.close(terminal)
        terminal = -1
    made.cgroup.settle(made.pid)
    created = Created(made.pid, start_time(made.pid), terminal, to_c, state)
    if wish.waits:
        to_c.send("created")
        to_c.expect("waiting")
    if wish.pid_file:
        write_pid(wish.pid_file, created.pid)
    record(wish, claim, created, made.cgroup)
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


def _namespaces(linux: dict[str, Any], *, own_user: bool) -> namespaces.Joined:
    wanted = namespaces.read_namespaces(
        {"namespaces": [entry for entry in linux.get("namespaces") or [] if not _is_new_time(entry)]}
    )
    new = wanted.new if own_user else wanted.new & ~n.CLONE_NEWUSER
    for kind, path in wanted.join:
        _check_namespace(linux, kind, path)
    return namespaces.open_joined(wanted._replace(new=new))


def _is_new_time(entry: dict[str, Any]) -> bool:
    # clone(2) has no room for its flag: the init makes it itself.
    return entry["type"] == "time" and not entry.get("path")


def _check_namespace(linux: dict[str, Any], kind: str, path: str) -> None:
    index = next(i for i, entry in enumerate(linux["namespaces"]) if entry["type"] == kind)
    name = f"config.json: linux.namespaces[{index}].path: {path}"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidInput(f"{name}: {(error.strerror or '').lower()}") from None
    try:
        found = n.ns_type(fd)
    except OSError:
        raise InvalidInput(f"{name} is not a namespace") from None
    finally:
        os.close(fd)
    if found != namespaces.FLAGS[kind]:
        raise InvalidInput(f"{name} is not a {kind} namespace")


def _birth(
    wish: Wish, joined: namespaces.Joined, maps: identity.Maps | None, gate: Gate, *, capable: bool
) -> container.Birth:
    spec = wish.bundle.spec
    process = spec["process"]
    credentials.prepare_rlimits(process)
    kinds = {kind for kind, _ in joined.fds}

    def own(name: str) -> bool:
        return bool(joined.new & namespaces.FLAGS[name]) or name in kinds

    root = Root("directory", (), "", "", wish.bundle.rootfs, False)
    size = process.get("consoleSize") or {}
    circumstances = Circumstances(
        own_pid=own("pid"),
        own_network=own("network"),
        own_ipc=own("ipc"),
        own_uts=own("uts"),
        tty_group=maps is None or namespaces.is_mapped(maps.gid, 5),
        base=wish.bundle.path,
        any_filesystem=True,
        make_nodes=capable and maps is None,
    )
    plan = build_plan(spec, circumstances)
    if maps is not None and capable:
        plan = open_binds(plan, spec, maps)
        gate = gate._replace(
            mounts=tuple(step.fd for step in plan if isinstance(step, Bind) and step.fd >= 0)
        )
    stdio = None if process.get("terminal") else (os.dup(0), os.dup(1), os.dup(2))
    return container.Birth(
        spec=spec,
        root=root,
        plan=plan,
        new=joined.new,
        stdio=stdio,
        rows=int(size.get("height") or 0),
        columns=int(size.get("width") or 0),
        seccomp=seccomp.filter_of(spec, cache_dir=os.path.join(wish.root, ".seccomp")),
        turns=gate,
        preserve_fds=wish.preserve_fds,
        keyring=wish.keyring,
        pivot=wish.pivot,
    )


def _listen(directory: str) -> int:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with_directory(directory, sock.bind)
    os.chmod(os.path.join(directory, SOCKET), 0o600)
    sock.listen(8)
    return sock.detach()


def _clone(
    birth: container.Birth, joined: namespaces.Joined, cgroup: Cgroup, to_c: Channel, from_a: Channel
) -> int:
    if not joined.fds:
        try:
            pid = cgroup.clone(joined.new)
        except OSError as error:
            raise namespaces.refused(error) from None
        if pid == 0:
            to_c.close()
            container.live(birth, from_a)
        return pid
    # Whoever enters a pid namespace cannot have other children outside: B goes, and the init
    # becomes our child all the same.
    between = os.fork()
    if between == 0:
        step = "join namespaces"
        try:
            namespaces.join(joined)
            step = "make the namespaces"
            pid = clone(joined.new | CLONE_PARENT)
            if pid == 0:
                to_c.close()
                container.live(birth, from_a)
            from_a.send("cloned", {"pid": pid})
        except (OSError, RootlessError) as error:
            from_a.send_error(error, step=step)
        finally:
            os._exit(0)
    try:
        return int(to_c.expect("cloned").data["pid"])
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


def record(wish: Wish, claim: Claim, created: Created, cgroup: Cgroup) -> None:
    """Write state.json: from now on the container exists."""
    spec = wish.bundle.spec
    document = {
        "id": wish.id,
        "version": spec["ociVersion"],
        "pid": created.pid,
        "start_time": created.start_time,
        "boot": boot_id(),
        "bundle": wish.bundle.path,
        "rootfs": wish.bundle.rootfs,
        "created": _now(),
        "owner": str(os.getuid()),
        "annotations": spec.get("annotations") or {},
        "cgroup": cgroup.path,
    }
    claim.keep(jsontext.dumps(document).encode())


def _now() -> str:
    import time

    now = time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}Z"


def listener_of(spec: dict[str, Any], state: dict[str, Any]) -> Callable[[int, int], None]:
    """What to do with a notifying filter's descriptor: hand it, with the state, to
    linux.seccomp.listenerPath (config-linux.md, The Container Process State)."""

    def send(pid: int, fd: int) -> None:
        profile = spec["linux"]["seccomp"]
        document = {
            "ociVersion": spec["ociVersion"],
            "fds": ["seccompFd"],
            "pid": pid,
            "metadata": profile.get("listenerMetadata", ""),
            "state": state,
        }
        with console.connect(profile["listenerPath"]) as client:
            socket.send_fds(client, [jsontext.dumps(document).encode()], [fd])

    return send


def follow(channel: Channel, spec: dict[str, Any], state: dict[str, Any]) -> None:
    """Read what a started init says until it has exec'd; raises its error."""
    message = channel.receive()
    if message is None:
        raise Conflict("the container's init has ended before it was started")
    while message is not None:
        if message.kind == "seccomp":
            try:
                listener_of(spec, state)(int(state["pid"]), message.fds[0])
            finally:
                os.close(message.fds[0])
        message = channel.receive()
