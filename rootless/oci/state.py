"""A container's record between commands: ROOT/ID/.

    state.json    pid, start time, boot; where the bundle is. Written aside and linked: the commit
    config.json   the configuration as it was at create
    facts         the same as state.json, for the launcher (facts.py)
    start         the socket at which the container's init waits; gone when it has been started

A directory is made aside, locked, and renamed to its id, which claims it. Without state.json and
with its lock free it is what a killed `create` left, and counts for nothing. Status is
derived from the process, never stored. Hot path.
"""

from __future__ import annotations

import fcntl
import os
import stat

from rootless import atomic, jsontext, paths
from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.linux import socket
from rootless.linux.process import alive, boot_id
from rootless.linux.socket import address_in
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"
SOCKET = "start"
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


def default_root() -> str:
    """$XDG_RUNTIME_DIR/rootless-oci; for real root /run/rootless-oci, else a directory of /tmp."""
    session = paths.session_directory()
    if session:
        return os.path.join(session, "rootless-oci")
    if os.getuid() == 0 and os.access("/run", os.W_OK):
        return "/run/rootless-oci"
    return f"/tmp/rootless-oci-{os.getuid()}"


def open_root(path: str) -> str:
    """The state directory, made 0700 where it is missing; absolute. NotSupported for one that others may change: they would
    say which processes are to be signalled, and which files are a container's. (Of root's other_users.py has seen to it.)"""
    path, owner = os.path.abspath(path), os.getuid()
    try:
        if owner != 0:
            os.makedirs(path, mode=0o700, exist_ok=True)
        about = os.lstat(path)
    except FileNotFoundError:
        return path
    except OSError as error:
        raise cannot_make(path, error) from None
    if stat.S_ISLNK(about.st_mode) and about.st_uid == owner:
        about = os.stat(path)
    if about.st_uid != owner or not stat.S_ISDIR(about.st_mode):
        raise belongs_to_others(path)
    if about.st_mode & 0o022:
        raise NotSupported(f"others may write to the state directory {path}", hint=f"chmod go-w {path}")
    return path


def cannot_make(path: str, error: OSError) -> NotSupported:
    """The error where there can be no state directory."""
    return NotSupported(f"cannot make the state directory {path}: {error.strerror}", hint="--root names another one")


def belongs_to_others(path: str) -> NotSupported:
    """The error for a state directory that is another user's to change."""
    return NotSupported(f"the state directory {path} belongs to somebody else", hint="--root names another one")


class Container(Record):
    """One container's record: facts of `create`. What it does now: `status`."""

    root: str
    id: str
    version: str
    pid: int
    start_time: int
    boot: str
    bundle: str
    rootfs: str
    created: str
    owner: str
    annotations: dict[str, str]
    cgroup: str
    unit: str = ""  # systemd's scope that the cgroup is in

    @property
    def directory(self) -> str:
        return os.path.join(self.root, self.id)

    def config(self) -> dict[str, Any]:
        """The configuration as it was at create."""
        path = os.path.join(self.directory, "config.json")
        try:
            with open(path, "rb") as file:
                found: dict[str, Any] = jsontext.loads(file.read())
        except (FileNotFoundError, ValueError):
            raise _damaged(self.id, path) from None
        return found

    def is_alive(self) -> bool:
        """Whether its init still runs."""
        return alive(self.pid, self.start_time) and self.boot == boot_id()

    def status(self) -> str:
        if not self.is_alive():
            return STOPPED
        if self._is_waiting():
            return CREATED
        if self.cgroup and _is_frozen(self.cgroup):
            return PAUSED
        return RUNNING

    def _is_waiting(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                connect(self.directory, client)
        except OSError:
            return False  # no socket any more, or no listener: it has executed its command
        return True

    def document(self, status: str | None = None) -> dict[str, Any]:
        """runtime.md, State; `pid` is there while the process is."""
        status = status or self.status()
        return state_document(self.id, status, self.pid, self.bundle, self.annotations, self.version)


def state_document(
    name: str, status: str, pid: int, bundle: str, annotations: dict[str, str], version: str
) -> dict[str, Any]:
    """The state as runtime.md has it, for hooks and for `state`."""
    found: dict[str, Any] = {"ociVersion": version, "id": name, "status": status}
    if status != STOPPED:
        found["pid"] = pid
    found["bundle"] = bundle
    if annotations:
        found["annotations"] = annotations
    return found


def connect(directory: str, client: socket.socket) -> None:
    """Connect to the socket of a waiting init, however long the path."""
    with address_in(directory, SOCKET) as address:
        client.connect(address)


def _is_frozen(cgroup: str) -> bool:
    try:
        with open(os.path.join(cgroup, "cgroup.events")) as file:
            return "frozen 1" in file.read()
    except OSError:
        return False


def check_id(name: str) -> str:
    """The id, if it can name a directory; InvalidInput otherwise."""
    if not name or name in (".", "..") or name[0] == "." or not set(name) <= _SAFE or len(name) > 1024:
        raise InvalidInput(f"invalid container id {name!r}", hint="letters, digits and _ + - . are allowed")
    return name


def write(directory: str, name: str, text: bytes) -> None:
    """Write a file of a container's directory, which holds until a reboot."""
    atomic.write_bytes(os.path.join(directory, name), text, durable=False)


def lock(directory: str, how: int) -> int:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, how)
    except BaseException:
        os.close(fd)
        raise
    return fd


def sweep(directory: str) -> bool:
    """Remove what a killed create left; whether there was such a thing."""
    try:
        fd = lock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    try:
        if os.path.exists(os.path.join(directory, "state.json")):
            return False
        remove(directory)
        return True
    finally:
        os.close(fd)


def remove(directory: str) -> None:
    """Remove a container's directory: state.json first, after which it counts for nothing."""
    for name in ("state.json", *_names(directory)):
        try:
            os.unlink(os.path.join(directory, name))
        except FileNotFoundError:
            pass
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        pass


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


class Held:
    """A context: the container, with its lock held against other commands that change it."""

    def __init__(self, root: str, name: str) -> None:
        self._root, self._name = root, name

    def __enter__(self) -> Container:
        directory = os.path.join(self._root, check_id(self._name))
        try:
            self._fd = lock(directory, fcntl.LOCK_EX)
        except FileNotFoundError:
            raise _unknown(self._name) from None
        try:
            return find(self._root, self._name)
        except BaseException:
            os.close(self._fd)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def find(root: str, name: str) -> Container:
    """The container `name`; NotFound, InvalidInput where its record cannot be read."""
    path = os.path.join(root, check_id(name), "state.json")
    try:
        with open(path, "rb") as file:
            found = Container(root=root, **jsontext.loads(file.read()))
        if found.id == name and found.pid > 0 and found.start_time >= 0:
            return found
    except FileNotFoundError:
        raise _unknown(name) from None
    except (ValueError, TypeError):
        pass
    raise _damaged(name, path)


def all_containers(root: str) -> list[Container]:
    """Those of `root`, by id; what killed creates left is swept on the way."""
    found = []
    for name in sorted(_names(root)):
        directory = os.path.join(root, name)
        if name == ".seccomp" or not os.path.isdir(directory):
            continue
        try:
            found.append(find(root, name))
        except (NotFound, InvalidInput) as error:
            if not sweep(directory) and isinstance(error, InvalidInput):
                from rootless.oci.log import LOG

                LOG.warn(error.message)
    return found


def no_cgroup(what: str) -> NotSupported:
    """The error where a container has no cgroup, and `what` needs one."""
    return NotSupported(
        f"{what}: it has no cgroup",
        hint="create it with --systemd-cgroup, or with a limit; `rootless doctor` says what is missing for cgroups",
    )


def _damaged(name: str, path: str) -> InvalidInput:
    return InvalidInput(
        f"the record of container {name} is damaged: {path}",
        hint=f"`rootless-oci delete --force {name}` removes it, and ends nothing: what runs of it is not known",
    )


def _unknown(name: str) -> NotFound:
    # The words Podman and containerd look for.
    return NotFound(f"container {name} does not exist")
