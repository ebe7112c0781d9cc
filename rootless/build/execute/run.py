"""RUN: a command in a container of ours, whose upper directory becomes the step's layer.

The container is one as `run` makes it, with every wall: its configuration is made by the same code
(engine/lifecycle/spec.py) and started by the same launch. What it lacks is a record among the containers, a log
and a life of its own: it ends with the worker that started it.
"""

from __future__ import annotations

import os
import signal
import struct
from contextlib import ExitStack
from typing import Any

from rootless import atomic
from rootless.build.execute import copied_root, engine_files, run_mounts
from rootless.build.execute.finish import finish, top_of
from rootless.build.execute.run_config import RunRequest, container_config
from rootless.build.execute.workers import Reporter
from rootless.engine.lifecycle import network, spec, start
from rootless.engine.lifecycle.attach import attach
from rootless.engine.state import cgroup, emulated_ids
from rootless.errors import RootlessError
from rootless.linux import socket
from rootless.runtime.launch import launch as runtime
from rootless.runtime.monitor import MonitorOptions
from rootless.runtime.mounts.notes import NOTES
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage import disk_errors
from rootless.storage.drivers import rootfs
from rootless.storage.layers import steps
from rootless.storage.store import Store, make_directory

_NOTED = "engine-files.json"


class ProcessFailed(RootlessError):
    """The command ended with another status than 0."""

    exit_code = 1


def run(store: Store, request: RunRequest, layers: list[str], report: Reporter) -> str:
    """Run the command on `layers` (bottom first, diff ids and steps); its output is reported as it comes. The name
    of the step's layer, "" where it changed no file.

    The caller is a worker, single-threaded, in the session, and holds the store's lease. ProcessFailed where
    the command fails, any other RootlessError where it cannot be started; nothing is left then.
    """
    with steps.NewStep(store) as new, _run_directory(store, new.path) as run_dir, ExitStack() as agents:
        caches = run_mounts.take_caches(store, request.mounts, new.path)
        # No step becomes a layer, in another place, between the look at where they are and their mount.
        with steps.Mounting(store):
            root = rootfs.prepare(store, new.path, layers)
            top = top_of(root)
            mounted = run_mounts.prepare(store, request.mounts, request.files, new.path, caches, agents)
            launched = _launch(store, request, mounted, root, layers, new.path, run_dir)
        status, oom = _follow(launched, new.path, report)
        if status:
            raise _failure(store, request, status, oom=oom)
        noted = [engine_files.EngineFile(*fields) for fields in atomic.read_json(f"{new.path}/{_NOTED}")]
        return finish(new, root, top, noted)


class _run_directory:
    """RUNTIME/b/<name of the step's directory>: sockets; its link `root` says whose it is."""

    def __init__(self, store: Store, step_directory: str) -> None:
        self._path = f"{store.runtime}/b/{os.path.basename(step_directory)}"
        self._root = store.root

    def __enter__(self) -> str:
        while True:
            try:
                make_directory(self._path)
                os.symlink(self._root, self._path + "/root")
                return self._path
            except FileNotFoundError:
                pass  # swept, while it was empty

    def __exit__(self, *_: object) -> None:
        steps.remove_sockets(self._path)


def _launch(
    store: Store, request: RunRequest, mounted: run_mounts.Mounted, root: Rootfs, layers: list[str], directory: str, run_dir: str
) -> runtime.LaunchedContainer:
    record = container_config(request, mounted.mounts, mounted.env)
    network.write_etc(record, directory)
    facts = start.host_facts(record, etc=directory, volumes=store.volumes, shared={})
    configuration = spec.build(record, facts)
    configuration[NOTES] = []  # files that would be the image's
    place = cgroup.CgroupManager(record, own_user_namespace=True)
    ids = emulated_ids.decide(store, record, configuration, layers=layers)
    emulated_ids.prepare_owners(store, ids, layers, directory)

    def note(_launched: runtime.LaunchedContainer) -> None:
        """In the supervisor: all is mounted, and the command waits."""
        noted = engine_files.note(root.upper) if root.upper else []
        if root.driver == "directory":
            copied_root.note(root.path)  # mount points are in it by now, and no change of the command's
        atomic.write_json(f"{directory}/{_NOTED}", [list(file) for file in noted], durable=False)

    return runtime.launch(
        runtime.LaunchRequest(
            spec=configuration,
            root=root,
            container_dir=directory,
            run_dir=run_dir,
            stdio=runtime.Stdio(),
            supervision=MonitorOptions(no_sync=True, dies_with_parent=True),
            network=network.connection(store, record, run_dir, directory, repaired=False),
            record=note,
            create_cgroup=place,
            client=True,
            ids=ids.level,
        )
    )


def _follow(launched: runtime.LaunchedContainer, directory: str, report: Reporter) -> tuple[int, bool]:
    """Pass on the output until the end: the exit code, and whether the kernel's OOM killer has ended it. Whatever
    happens, the container and its monitor have ended when this returns."""
    pidfd = os.pidfd_open(launched.monitor_pid)
    connection = socket.socket(fileno=launched.attach_fd)
    status: int | None = None
    try:
        while (packet := attach.receive(connection)) and packet[0] != attach.EXITED:
            report.log(packet[1:], error=packet[0] == attach.STDERR)
        if len(packet) >= 5:
            status = struct.unpack_from("=i", packet, 1)[0]
    finally:
        if status is None:
            _kill(launched)
        connection.close()
        _wait(launched.monitor_pid, pidfd)
    if status is None:
        raise RootlessError("the monitor of the step's container was lost", hint="was it killed? try again")
    return attach.exit_code(status), _oom_killed(directory)


def _kill(launched: runtime.LaunchedContainer) -> None:
    from rootless.linux import process

    try:
        fd = process.pidfd_open_checked(launched.pid, launched.start_time)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def _wait(monitor: int, pidfd: int) -> None:
    os.close(pidfd)
    try:
        os.waitpid(monitor, 0)
    except ChildProcessError:
        pass


def _oom_killed(directory: str) -> bool:
    try:
        found: dict[str, Any] = atomic.read_json(directory + "/exit.json")
    except (OSError, ValueError):
        return False
    return found.get("oom_killed") is True


def _failure(store: Store, request: RunRequest, code: int, *, oom: bool) -> ProcessFailed:
    words = f'process "{" ".join(request.args)}" did not complete successfully: exit code: {code}'
    if oom:
        return ProcessFailed(f"{words}: cannot allocate memory", hint="the kernel's OOM killer ended it: raise --memory")
    # Programs say so themselves, but not all, and nobody would look at this disk for what went wrong at /tmp.
    lacking = disk_errors.lacking(store.root)
    return ProcessFailed(f"{words}: {lacking.what}", hint=lacking.hint) if lacking else ProcessFailed(words)


