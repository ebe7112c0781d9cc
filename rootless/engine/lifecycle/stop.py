"""`stop`, `kill`, `wait`, `pause`: the ends of a container, and halts on the way. HOT."""

from __future__ import annotations

import errno
import os
import select
import sys

from rootless.cgroup import cgroupfs
from rootless.engine.lifecycle.attach import attach
from rootless.engine.options.signals import parse_signal
from rootless.engine.state import restart, running
from rootless.engine.state.config import ContainerConfig
from rootless.engine.state.events import events
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.linux import process, signal, socket
from rootless.storage import atomic
from rootless.storage.containers import containers
from rootless.storage.store import Store

DEFAULT_TIMEOUT_S = 10


def stop(
    store: Store,
    identifier: str,
    *,
    signal_name: str = "",
    timeout_s: int | None = None,
    by_hand: bool = True,
) -> None:
    """Ask PID 1 to end, and kill it after `timeout_s` (-1: never). Nothing where it does not run.

    No policy restarts it then; `by_hand` False leaves that open for the machine's next start.
    """
    with containers.lock(store, identifier):
        found = running.find(store, identifier)
        if found is None:
            running.refuse_elsewhere(store, identifier)
            running.wait_ended(store, identifier)
            state = containers.status(store, identifier).state
            # Exited: where its policy could not start it again (a full disk), it is not to come back at boot either.
            if state == "restarting" or (state == "exited" and by_hand):
                restart.cancel(store, identifier, by_hand=by_hand)
            return
        restart.cancel(store, identifier, by_hand=by_hand)
        record = _record(store, identifier)
        if timeout_s is None:
            timeout_s = record["stop_timeout"]
        if timeout_s is None:
            timeout_s = DEFAULT_TIMEOUT_S
        with found:
            number = parse_signal(signal_name or record["stop_signal"])
            events.kill(store, record, number)
            asked = found.send(number)
            if found.state.get("paused"):
                _thaw(found)
                try:
                    _write_state(store, found, paused=False)
                except OSError:
                    pass  # a full disk must not keep it from its end
            if asked and not found.wait(None if timeout_s < 0 else timeout_s):
                events.kill(store, record, signal.SIGKILL)
                found.kill()
    # The lock is free again: the clean-up of a --rm container takes it.
    running.wait_recorded(store, identifier)
    events.container(store, "stop", record)


def kill(store: Store, identifier: str, signal_name: str = "KILL") -> None:
    """Send a signal to PID 1; with SIGKILL, wait until the end is recorded. Conflict where it does not run."""
    number = parse_signal(signal_name)
    found = running.find(store, identifier)
    if found is None and restart.has_policy(store, identifier):
        with containers.lock(store, identifier):
            running.wait_ended(store, identifier)
            if restart.cancel(store, identifier):
                return
            found = running.find(store, identifier)  # it has just been started again
    if found is None:
        raise Conflict(f"cannot kill container: {identifier}: container {identifier} is not running")
    with found:
        if number in (signal.SIGKILL, parse_signal(_record(store, identifier)["stop_signal"])):
            restart.cancel_unlocked(store, identifier)
        events.kill(store, _record(store, identifier), number)
        if number != signal.SIGKILL:
            found.send(number)
            return
        found.kill()
    running.wait_recorded(store, identifier)


def wait(store: Store, identifier: str) -> int:
    """Block until the container has ended; its exit code. A container that never ran counts as ended: 0."""
    while True:
        try:
            connection = attach.connect(running.run_directory(store, identifier))
            break
        except Conflict:
            # No 30 seconds: between a restart's delay and its start there is no monitor to ask.
            status = containers.status(store, identifier)
            if status.state not in ("running", "restarting"):
                return status.exit_code
            running.wait_recorded(store, identifier)
            if (found := running.find(store, identifier)) is not None:
                with found:  # its monitor is gone, or its socket
                    found.wait(1.0)
    # The monitor itself tells the status, so that a --rm container cannot vanish before it is read.
    with connection:
        told = _told(store, identifier, connection)
    if told is not None:
        return attach.exit_code(told)
    try:
        return containers.status(store, identifier).exit_code
    except NotFound:
        return 137


def _told(store: Store, identifier: str, connection: socket.socket) -> int | None:
    """The wait status that the monitor tells; None where it ends without. RootlessError where it is stopped and
    the container has ended."""
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    found = running.find(store, identifier)
    if found is not None:
        poller.register(found.pidfd, select.POLLIN)
    ended = found is None
    try:
        while True:
            ready = [fd for fd, _ in poller.poll(1000 if ended else None)]
            if connection.fileno() in ready:
                try:
                    packet = connection.recv(attach.PACKET_LIMIT)
                except ConnectionResetError:
                    return None
                if not packet or (packet[0] == attach.EXITED and len(packet) < 5):
                    return None
                if packet[0] == attach.EXITED:
                    return int.from_bytes(packet[1:5], sys.byteorder, signed=True)
            elif found is not None and found.pidfd in ready:
                ended = True
                poller.unregister(found.pidfd)
            elif not ready and process.stopped(pid := running.read_state(store, identifier).get("monitor_pid", 0)):
                raise running.unrecorded(identifier, pid)
    finally:
        if found is not None:
            found.close()


def pause(store: Store, identifier: str) -> None:
    """Halt all processes of the container; Conflict where it does not run or is paused."""
    with containers.lock(store, identifier), running.require(store, identifier) as found:
        if found.state.get("paused"):
            raise Conflict(f"Container {identifier} is already paused")
        # Said first: a kill between must not leave a halted container that counts as running.
        _write_state(store, found, paused=True)
        try:
            _halt(found)
        except RootlessError:
            _write_state(store, found, paused=False)
            raise
        events.container(store, "pause", _record(store, identifier))


def unpause(store: Store, identifier: str) -> None:
    """Let a paused container go on; Conflict where it is not paused."""
    with containers.lock(store, identifier), running.require(store, identifier) as found:
        if not found.state.get("paused"):
            raise Conflict(f"Container {identifier} is not paused")
        _thaw(found)
        _write_state(store, found, paused=False)
        events.container(store, "unpause", _record(store, identifier))


def _halt(found: running.RunningContainer) -> None:
    """By the cgroup's freezer, which the container cannot undo; else by a signal to each process."""
    cgroup = str(found.state.get("cgroup") or "")
    if cgroupfs.can_freeze(cgroup):
        cgroupfs.freeze(cgroup, frozen=True)
        return
    if cgroup and not cgroupfs.exists(cgroup):
        raise cgroupfs.gone(cgroup, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    for pid in pids(found.pid):
        _signal(pid, signal.SIGSTOP)


def _thaw(found: running.RunningContainer) -> None:
    cgroup = str(found.state.get("cgroup") or "")
    if cgroupfs.can_freeze(cgroup):
        cgroupfs.freeze(cgroup, frozen=False)
    else:
        for pid in pids(found.pid):
            _signal(pid, signal.SIGCONT)


def _write_state(store: Store, found: running.RunningContainer, *, paused: bool) -> None:
    path = containers.directory(store, found.id) + "/state.json"
    atomic.write_json(path, {**found.state, "paused": paused})


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def pids(first: int) -> list[int]:
    """All processes of the pid namespace that `first` is in, as seen from here, `first` at the front.

    With --pid=host, where that namespace is everybody's, `first` and its descendants.
    """
    own = os.stat("/proc/self/ns/pid").st_ino
    try:
        namespace = os.stat(f"/proc/{first}/ns/pid").st_ino
    except FileNotFoundError:
        return []
    if namespace == own:
        return _descendants(first)
    found = [first]
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != first:
            try:
                if os.stat(f"/proc/{entry}/ns/pid").st_ino == namespace:
                    found.append(int(entry))
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue  # ended, or not ours to look at: so not of our container
    return found


def _descendants(first: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found = [first]
    for pid in found:
        found += children.get(pid, [])
    return found


def _record(store: Store, identifier: str) -> ContainerConfig:
    return containers.config(store, identifier)  # type: ignore[return-value]
