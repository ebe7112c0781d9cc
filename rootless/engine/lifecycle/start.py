"""`start`: a created container becomes processes. Hot path."""

from __future__ import annotations

import os
import stat
import sys

from rootless import atomic
from rootless.engine.files.mounts import container_root
from rootless.engine.lifecycle import monitor_options, network, socket_activation, spec
from rootless.engine.lifecycle.attach import attach
from rootless.engine.options import clock
from rootless.engine.options.mount_config import GIVEN
from rootless.engine.state import cgroup, emulated_ids, restart, running
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, RootlessError
from rootless.linux import process, signal
from rootless.linux.capability import CAPABILITIES, last_cap
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.launch import launch as runtime
from rootless.runtime.mounts.plan import ACCOUNT
from rootless.session import session
from rootless.storage.containers import containers
from rootless.storage.store import Store
from rootless.words import plain

if TYPE_CHECKING:
    from typing import Any

SHARED_KINDS = ("pid", "ipc", "network", "uts")


class StartedContainer(Record):
    """A container that has begun to run its command. `attach_fd` is a connection to its monitor that misses no output (the
    caller's to close), or -1."""

    pid: int
    start_time: int
    attach_fd: int


class AlreadyRunning(Conflict):
    """The container runs; for `rootless start` no failure, as for Docker's."""


def start(
    store: Store, identifier: str, *, client: bool = False, rows: int = 0, columns: int = 0, again: bool = False
) -> StartedContainer:
    """Start a container that does not run; the caller has joined the session.

    With `client`, the caller stays attached, and removes a --rm container itself. `again`: the caller
    was its monitor and does what the restart policy decided. Conflict where it runs already, or
    where that restart was called off. Where the command cannot be run (CommandNotFound,
    CommandNotExecutable) or anything else fails, nothing is left running and `inspect` shows the error.
    """
    with containers.lock(store, identifier):
        if running.find(store, identifier) is not None:
            raise AlreadyRunning(f"container {identifier[:12]} is already running")
        running.refuse_elsewhere(store, identifier)
        running.wait_ended(store, identifier)
        if again and not restart.is_due(store, identifier):
            raise Conflict(f"the restart of container {identifier[:12]} was called off")
        record = read_config(store, identifier)
        if record.get("pod"):
            _prepare_pod(store, record, again=again)
        before = containers.status(store, identifier)
        if before.state == "restarting" and not again:
            restart.cancel(store, identifier)
        restart.begin(store, record, again=again)
        if client:
            events.container(store, "attach", record)
        try:
            return _start(store, record, client=client, rows=rows, columns=columns)
        except RootlessError as error:
            _note_failure(store, record, error, before)
            raise


def _prepare_pod(store: Store, record: ContainerConfig, *, again: bool) -> None:
    """Start the infra of the container's pod, whose namespaces it joins, and make its name known there. The infra itself
    starts while nobody is left in the namespaces that it had, or (`again`) its monitor sees to those that are."""
    from rootless.engine.lifecycle import pod_names

    if record.get("infra"):
        if not again:
            pod_names.refuse_left_behind(store, record)
        return
    infra = pod_names.infra_of(store, record)
    if not infra:
        return
    try:
        start(store, infra)
    except AlreadyRunning:
        pod_names.add(store, record, infra)


def _note_failure(store: Store, record: ContainerConfig, error: RootlessError, before: containers.ContainerStatus) -> None:
    """Leave the reason for `inspect` and `ps`; the container counts as created, or exited as before."""
    failed: dict[str, Any] = {"pid": 0, "error": error.message, "exit_code": error.exit_code}
    if before.started_at:
        failed |= {"started_at": before.started_at, "finished_at": before.finished_at}
    try:
        path = containers.directory(store, record["id"]) + "/state.json"
        atomic.write_json(path, failed, durable=not record["auto_remove"])
    except OSError:
        pass  # a full disk must not hide the first error


def _start(store: Store, record: ContainerConfig, *, client: bool, rows: int, columns: int) -> StartedContainer:
    directory = containers.directory(store, record["id"])
    run_dir = store.run_directory(record["id"])
    root = container_root.prepare(store, record)
    facts = _start_facts(store, record)
    if record.get("cdi"):
        from rootless.engine.cdi import edits, places

        record = edits.apply(record, root)
        places.add(directory, (mount["target"] for mount in record["mounts"]), durable=not record["auto_remove"])
    record = container_root.resolve_mounts(store, record)
    container_root.fill_volumes(store, record, root)
    if any(GIVEN in mount["options"] for mount in record["mounts"]):
        from rootless.engine.files import given

        given.give(store, record, root)
    handed = socket_activation.handed(record)
    configuration = _configuration(record, facts, handed)
    layers = [] if root.image else record["diff_ids"]  # which are not on this machine then
    ids = emulated_ids.decide(store, record, configuration, layers=layers, directory=directory)
    emulated_ids.prepare_owners(store, ids, layers, directory)
    emulated_ids.warn_of_a_lost_range(store, layers)
    emulation: tuple[int, ...] = ()
    if record.get("emulate"):
        from rootless.engine.emulation import handlers

        emulation = handlers.ensure(record["emulate"])
    trees: dict[str, int] = {}
    if record["ipc"].startswith("container:"):
        from rootless.engine.lifecycle.ipc import shared_trees

        trees = shared_trees(store, record)
    if any(mount["type"] == "squashfs" for mount in record["mounts"]):
        from rootless.engine.files.mounts import image_file

        found, connections = image_file.borrow(record)
        trees, emulation = trees | found, emulation + connections
    started_at = clock.now()
    create_cgroup = cgroup.CgroupManager(record, own_user_namespace=not facts.shared)

    def record_state(launched: runtime.LaunchedContainer) -> None:
        document = _state_document(launched, started_at=started_at, driver=root.driver, run_dir=run_dir)
        document |= create_cgroup.state() | ids.state()
        atomic.write_json(directory + "/state.json", document, durable=not record["auto_remove"])

    launched = runtime.launch(
        runtime.LaunchRequest(
            spec=configuration,
            root=root,
            container_dir=directory,
            run_dir=run_dir,
            stdio=runtime.Stdio(record["tty"], record["open_stdin"], rows, columns),
            supervision=monitor_options.supervision(record, client=client)._replace(
                events_dir=events.directory(store),
                event=events.tail(record),
                pass_fds=0 if record["auto_remove"] else handed.descriptors,
            ),
            network=network.connection(store, record, run_dir, directory, more_hosts=_pod_hosts(store, record)),
            record=record_state,
            # By the supervisor: it must stand before the end, which the monitor writes, and before what is done next.
            started=lambda: events.container(store, "start", record),
            create_cgroup=create_cgroup,
            client=client,
            attachers=_attachers(directory),
            # Sent before the start, so that the monitor of even the shortest command knows.
            greeting=(attach.PROMISE_CLEANUP,) if client and record["auto_remove"] else (),
            preserve_fds=handed.descriptors,
            trees=trees,
            hold_fds=emulation,
            ids=ids.level,
        )
    )
    for warning in launched.network.get("warnings") or []:
        print(f"rootless: {plain(warning)}", file=sys.stderr)
    socket_activation.notify_started(record, launched.monitor_pid, client=client)
    return StartedContainer(launched.pid, launched.start_time, launched.attach_fd)


def _attachers(directory: str) -> tuple[int, ...]:
    """Connections to the clients that have come before the start."""
    if not os.path.isdir(directory + "/attachers"):
        return ()
    from rootless.engine.lifecycle.attach import attachers

    return attachers.connect(directory)


def _start_facts(store: Store, record: ContainerConfig) -> spec.StartFacts:
    """What the configuration depends on besides `record`, of this host and this moment. /etc/hosts and its like are
    written, or those of the container whose network this one shares are used."""
    shared = {kind: pid for kind in SHARED_KINDS if (pid := _shared_pid(store, record, kind))}
    etc = containers.directory(store, record["id"])
    if "network" in shared:
        etc = containers.directory(store, containers.find(store, record["network"]["mode"].partition(":")[2]))
    else:
        network.write_etc(record, etc, _pod_hosts(store, record))
    return host_facts(record, etc=etc, volumes=store.volumes, shared=shared)


def _pod_hosts(store: Store, record: ContainerConfig) -> list[str]:
    if not record.get("infra"):
        return []
    from rootless.engine.lifecycle import pod_names

    return pod_names.hosts(store, record)


def host_facts(record: ContainerConfig, *, etc: str, volumes: str, shared: dict[str, int]) -> spec.StartFacts:
    """The facts with what this host and the session have. Wants the session joined."""
    return spec.StartFacts(
        etc,
        volumes,
        shared,
        tuple(name for name, number in CAPABILITIES.items() if number <= last_cap()),
        devices=_host_devices() if record["security"]["privileged"] else (),
        host_mqueue=os.path.isdir("/dev/mqueue"),
        last_gid=max(part.inside + part.size - 1 for part in session.join().gid_map),
    )


def _configuration(record: ContainerConfig, facts: spec.StartFacts, handed: socket_activation.Handed) -> dict[str, Any]:
    """The OCI configuration of this start."""
    configuration = spec.build(record, facts)
    if record["userns"].startswith("keep-id") and not record["rootfs"]:
        from rootless.engine.state import user_namespace

        configuration[ACCOUNT] = user_namespace.account(record)
    configuration["process"]["env"] = [*configuration["process"]["env"], *handed.env]
    configuration["mounts"] += handed.mounts
    return configuration


def _state_document(launched: runtime.LaunchedContainer, *, started_at: str, driver: str, run_dir: str) -> dict[str, Any]:
    """state.json, less what the cgroup adds. Runs in the supervisor."""
    return {
        "pid": launched.pid,
        "start_time": launched.start_time,
        "boot_id": process.boot_id(),
        "pid_namespace": process.pid_namespace(),
        "monitor_pid": launched.monitor_pid,
        "monitor_start_time": launched.monitor_start_time,
        "started_at": started_at,
        "driver": driver,
        "run_dir": run_dir,
        "network": {key: value for key, value in launched.network.items() if key != "hold_fds"},
    }


def _host_devices() -> tuple[str, ...]:
    """What --privileged adds to /dev: the host's nodes, and directories of nodes, that are not the
    container's own anyway. What this account may do with them is up to their modes."""
    own = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue"}
    found = []
    for name in sorted(set(os.listdir("/dev")) - own):
        mode = os.lstat(f"/dev/{name}").st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or (stat.S_ISDIR(mode) and name != "fd"):
            found.append(f"/dev/{name}")
    return tuple(found)


def _shared_pid(store: Store, record: ContainerConfig, kind: str) -> int:
    """PID 1 of the container whose namespace this one shares; 0 where it has its own."""
    mode = record["network"]["mode"] if kind == "network" else str(record[kind])  # type: ignore[literal-required]
    if not mode.startswith("container:"):
        return 0
    other = containers.find(store, mode.partition(":")[2])
    if other == record["id"]:
        raise Conflict(f"a container cannot join its own {kind} namespace")
    found = running.find(store, other)
    if found is None:
        raise Conflict(
            f"cannot join {kind} namespace of a non running container: {other}",
            hint=f"start it first: rootless start {other[:12]}",
        )
    found.close()
    return found.pid


def send(launched: StartedContainer, number: int) -> None:
    """Pass a signal on to PID 1; nothing where it has ended."""
    try:
        pidfd = process.pidfd_open_checked(launched.pid, launched.start_time)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)
