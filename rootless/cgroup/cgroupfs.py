"""One container's cgroup: its directory and what the kernel does on request. Hot path."""

from __future__ import annotations

import errno
import fcntl
import os
import time

from rootless.errors import Conflict, NotFound, NotSupported, RootlessError

PREFIX = "rootless-"


def name_of(container_name: str, container_id: str) -> str:
    """The name under which a container's cgroup is found from outside."""
    return f"{PREFIX}{container_name[:180]}-{container_id[:12]}"


def create(path: str) -> int:
    """Make the cgroup `path`; a descriptor of it that keeps `sweep` away, the caller's. OSError."""
    for _ in range(5):
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            pass
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # a sweeper was between our two calls
        fcntl.flock(fd, fcntl.LOCK_SH)
        if os.path.exists(f"/proc/self/fd/{fd}/cgroup.procs"):
            return fd
        os.close(fd)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)


def enable(path: str, wanted: frozenset[str]) -> frozenset[str]:
    """Hand `wanted` controllers on to the children of `path`; those that its children then have."""
    control = path + "/cgroup.subtree_control"
    missing = wanted - _words(control)
    if missing and os.path.exists(path + "/cgroup.type") and processes(path):
        # cpu, cpuset and pids would be taken, and make it "domain threaded": no place for a container.
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
    for name in sorted(missing):
        try:
            write(control, f"+{name}")
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise
            # Not there, or not given to us: what the children lack is told when it is needed.
    return _words(control)


def _words(path: str) -> frozenset[str]:
    try:
        with open(path, encoding="ascii") as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


def clear(path: str, leaf: str) -> None:
    """Move all processes of the cgroup `path` into its child `leaf`: one with processes can hand no
    controller on (cgroup-v2.rst, "No Internal Process Constraint"). OSError."""
    os.makedirs(leaf, 0o755, exist_ok=True)
    for _ in range(20):
        pids = processes(path)
        if not pids:
            return
        for pid in pids:
            try:
                write(leaf + "/cgroup.procs", str(pid))
            except ProcessLookupError:
                continue
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)


def give(path: str, uid: int) -> None:
    """Let `uid` divide the cgroup: it, and the files that the kernel says go with it, belong to them. OSError."""
    try:
        with open("/sys/kernel/cgroup/delegate", encoding="ascii") as file:
            names = file.read().split()
    except FileNotFoundError:  # before Linux 4.15
        names = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]
    os.chown(path, uid, -1)
    for name in names:
        try:
            os.chown(f"{path}/{name}", uid, -1)
        except FileNotFoundError:
            continue  # of a controller that is not there


def processes(path: str) -> list[int]:
    """The processes in the cgroup itself, not below it; those we cannot see (0) are left out."""
    with open(path + "/cgroup.procs", encoding="ascii") as file:
        return [int(line) for line in file if line.strip() != "0"]


def write(path: str, text: str) -> None:
    """Write to a kernel file in one call. OSError with the path."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from None
    finally:
        os.close(fd)


def read(path: str, name: str) -> str:
    """A file of the cgroup, stripped; "" where it is not there (no controller, or the cgroup is gone)."""
    try:
        with open(f"{path}/{name}", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def events(path: str, name: str = "cgroup.events") -> dict[str, int]:
    """A file of `key number` lines: cgroup.events, memory.events, cpu.stat, memory.stat."""
    found = {}
    for line in read(path, name).splitlines():
        key, _, value = line.partition(" ")
        if value.isdecimal():
            found[key] = int(value)
    return found


def exists(path: str) -> bool:
    """Whether the cgroup is (still) there."""
    return bool(path) and os.path.exists(path + "/cgroup.procs")


def can_freeze(path: str) -> bool:
    """Whether the cgroup can be frozen: Linux 5.2."""
    return bool(path) and os.path.exists(path + "/cgroup.freeze")


def freeze(path: str, *, frozen: bool, timeout_s: float = 5.0) -> None:
    """Halt all processes of the cgroup, or let them go on; returns when that is so. Raises NotFound
    where the cgroup is gone, Conflict where it does not happen in time (a process in the kernel)."""
    try:
        write(path + "/cgroup.freeze", "1" if frozen else "0")
    except OSError as error:
        raise gone(path, error) from None
    deadline = time.monotonic() + timeout_s
    while events(path).get("frozen", int(frozen)) != int(frozen):
        if time.monotonic() > deadline:
            if frozen:
                write(path + "/cgroup.freeze", "0")
            raise Conflict("the container does not halt: a process of it waits in the kernel")
        time.sleep(0.002)


def gone(path: str, error: OSError) -> RootlessError:
    """A refused write to a container's cgroup in words."""
    if error.errno in (errno.ENOENT, errno.ENODEV):
        return NotFound(
            f"the container's cgroup is gone: {path}",
            hint="somebody removed it; stop and start the container to give it another",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotSupported(f"the container's cgroup may not be written from here: {path}")
    return RootlessError(f"{error.filename or path}: {error.strerror}")


def kill(path: str) -> None:
    """SIGKILL to every process of the cgroup, frozen ones too; nothing where it is gone."""
    try:
        write(path + "/cgroup.kill", "1")  # Linux 5.14
        return
    except OSError:
        pass
    from rootless.linux import signal

    for _ in range(10):
        try:
            pids = processes(path)
        except OSError:
            return
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


def remove(path: str, timeout_s: float = 1.0) -> bool:
    """Remove the cgroup once its processes are gone, and those inside it; whether it is no more."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            os.rmdir(path)
            return True
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno == errno.EBUSY:
                for name in _children(path):
                    remove(f"{path}/{name}", 0)
            elif error.errno != errno.EINTR:
                return False
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.005)


def _children(path: str) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def sweep(subtree: str) -> None:
    """Remove what killed monitors left in a subtree of ours: containers' cgroups without processes."""
    for name in _children(subtree):
        if not name.startswith(PREFIX):
            continue
        path = f"{subtree}/{name}"
        if events(path).get("populated") != 0:
            continue
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            # Held while a container is being started in it.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(path, 0)
        except OSError:
            continue
        finally:
            os.close(fd)


def own_controllers(path: str) -> frozenset[str]:
    """The controllers that the cgroup itself has; none where it is gone or ""."""
    return _words(path + "/cgroup.controllers") if path else frozenset()
