"""The service's socket: bound where only its owner gets at it, or handed over by systemd; and who may connect."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct

from rootless import paths
from rootless.errors import Conflict, InvalidInput, NotSupported, RootlessError
from rootless.linux.socket import address_in, is_address
from rootless.runtime.listen_fds import listen_fds

NAME = "docker.sock"
BACKLOG = 4096
_UCRED = struct.Struct("iII")


class Listener:
    """A listening socket. `path` is the file that is ours to remove at the end; "" where it is systemd's."""

    def __init__(self, sock: socket.socket, path: str, link: str = "") -> None:
        self.sock = sock
        self.path = path
        self.link = link

    def close(self) -> None:
        """Stop listening, and remove what was made."""
        self.sock.close()
        if self.link and _leads_to(self.link, self.path):
            os.unlink(self.link)
        if self.path:
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass


def default_path() -> str:
    """RUNTIME/docker.sock."""
    return f"{paths.runtime_dir()}/{NAME}"


def found_path() -> str:
    """Where a service is to be found: the default, or where systemd listens for it."""
    path, directory = default_path(), paths.session_directory()
    if not os.path.lexists(path) and directory and os.path.lexists(f"{directory}/{NAME}"):
        _check_directory(directory)
        return f"{directory}/{NAME}"
    return path


def path_of(address: str) -> str:
    """The path of `unix://PATH`. NotSupported for what is no Unix socket: the API is never on a network."""
    scheme, separator, path = address.partition("://")
    if not separator:
        raise InvalidInput(f"invalid --address: {address}", hint="write unix:///PATH")
    if scheme != "unix":
        raise NotSupported(
            f"--address {address}: the API is served on Unix sockets only",
            hint="who may use it is the whole account: from elsewhere, DOCKER_HOST=ssh://USER@HOST",
        )
    if not path.startswith("/"):
        raise InvalidInput(f"invalid --address: {address}: not an absolute path", hint="write unix:///PATH")
    return path


def activated() -> Listener | None:
    """The socket that systemd listens on for us (sd_listen_fds(3)); None where it does not. RootlessError for
    anything but one listening stream socket."""
    count = listen_fds()
    if not count:
        return None
    if count != 1:
        raise RootlessError(f"systemd handed over {count} sockets, not one", hint="rootless.socket has one ListenStream=")
    os.set_inheritable(3, False)
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    try:
        sock = socket.socket(fileno=3)
        fine = (
            sock.family == socket.AF_UNIX
            and sock.type == socket.SOCK_STREAM
            and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        )
    except OSError:
        fine = 0
    if not fine:
        raise RootlessError("what systemd handed over is no listening Unix socket")
    sock.setblocking(False)
    return Listener(sock, "")


def bind(path: str) -> Listener:
    """Listen on `path`, mode 0600, in a directory that is ours and nobody else's to write.

    Conflict where a service answers there. What a killed one left is replaced.
    """
    directory, name = os.path.split(path)
    _check_directory(directory)
    if not is_address(os.path.join(directory, f".{name}.{os.getpid()}")) and not os.path.isdir("/proc/self/fd"):
        raise InvalidInput(f"the path of the socket is too long: {path}")
    if _answers(directory, name):
        raise Conflict(f"a service listens on {path} already", hint=f"use it: DOCKER_HOST=unix://{path}")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Bound aside and renamed: nobody finds a socket that does not listen, and its mode is right from the beginning.
    aside = f".{name}.{os.getpid()}"
    before = os.umask(0o177)
    try:
        with address_in(directory, aside) as address:
            sock.bind(address)
    except OSError as error:
        sock.close()
        raise NotSupported(f"cannot listen on {path}: {error.strerror}") from None
    finally:
        os.umask(before)
    sock.listen(BACKLOG)
    os.rename(f"{directory}/{aside}", path)
    sock.setblocking(False)
    return Listener(sock, path)


def link_well_known(listener: Listener) -> None:
    """$XDG_RUNTIME_DIR/docker.sock as well, where nothing of that name is: many clients look there by themselves."""
    directory = paths.session_directory()
    if not directory or not os.path.isdir(directory) or os.lstat(directory).st_uid != os.getuid():
        return
    link = f"{directory}/{NAME}"
    try:
        if os.path.islink(link) and _leads_to(link, listener.path):
            os.unlink(link)
        os.symlink(listener.path, link)
    except OSError:
        return  # something has the name, or it cannot be made: the socket itself is there
    listener.link = link


def _leads_to(link: str, path: str) -> bool:
    try:
        return os.readlink(link) == path
    except OSError:
        return False


def _check_directory(directory: str) -> None:
    try:
        status = os.lstat(directory)
    except OSError as error:
        raise InvalidInput(f"cannot listen in {directory}: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise InvalidInput(
            f"cannot listen in {directory}: others could put a socket of their own in its place",
            hint="the directory has to be yours, and writable for you alone",
        )


def _answers(directory: str, name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # whose backlog is full answers as well, some time
        try:
            with address_in(directory, name) as address:
                probe.connect(address)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
                return False
            if error.errno == errno.EAGAIN:
                return True
            raise Conflict(f"cannot listen on {directory}/{name}: {error.strerror}", hint="remove what is there") from None
    return True


def is_ours(sock: socket.socket) -> bool:
    """Whether who connected has our uid (SO_PEERCRED, unix(7)). A container's root has, its other ids have not."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, _ = _UCRED.unpack(credentials)
    return bool(uid == os.getuid())


def allow_many_connections() -> None:
    """As many open files as we may have: each idle client is one."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
