"""An image file mounted: squashfuse_ll started in its jail, the mount made, and both left to the C program that keeps them.

    caller                      keeper, in a mount namespace of its own        server, in the jail
    fork, fork ───────────────▶ mount(2) of type fuse
                                fork ────────────────────────────────────────▶ jail.serve()
                                stat(2) of the mount: waits for its answer
    ◀──────────────── "done"
                                exec rootless-imagefs

The server never sees the mount, and the keeper's death is its own (PR_SET_PDEATHSIG): a server that a hostile image has taken
over or made run for ever ends with the mount.
"""

from __future__ import annotations

import fcntl
import os
import signal
from typing import NoReturn

from rootless import inherited, paths
from rootless.errors import FAILURES, InvalidInput, NotSupported, RootlessError
from rootless.linux import mount as m
from rootless.linux import namespace as n
from rootless.linux import process, socket
from rootless.linux.socket import address_in
from rootless.runtime.seccomp import profile
from rootless.runtime.squashfs import header, jail
from rootless.runtime.squashfs.header import ImageFile
from rootless.runtime.sync import Channel, pair
from rootless.words import plain

PROGRAM = "squashfuse_ll"
IDLE_S = 60
"""How long a mount that nobody uses is kept for the next container."""
_ANSWER_TIMEOUT_S = 30
_LISTEN_FD, _SERVER_FD = 3, 4
_BACKLOG = 1024


def find_program() -> str | None:
    """squashfuse_ll's absolute path, without links."""
    path = paths.find_program(PROGRAM)
    return os.path.realpath(path) if path else None


def not_installed() -> NotSupported:
    return NotSupported(
        f"an image file is mounted by {PROGRAM}, which is not installed",
        hint="`rootless helpers install squashfuse` gets it into your home (Debian, Ubuntu); "
        "as administrator: apt install squashfuse (Debian, Ubuntu), dnf install squashfuse (Fedora)",
    )


def start(fd: int, image: ImageFile, directory: str, name: str) -> None:
    """Leave a keeper behind that listens at `directory`/`name` for who needs the image, the open file `fd`.

    The caller has joined the session and holds the directory's lock. InvalidInput for a file that is no image,
    NotSupported where it cannot be mounted here.
    """
    program = find_program()
    if program is None:
        raise not_installed()
    keeper = paths.helper("imagefs")
    found = header.find(fd, image.path, image.offset)
    filter_ = profile.compiled(jail.PROFILE, [], cache_dir=directory)
    server = jail.Server(program, fd, os.path.realpath(image.path), found.offset, directory + "/jail", filter_)
    try:
        os.unlink(f"{directory}/{name}")
    except FileNotFoundError:
        pass
    ours, theirs = pair()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        with address_in(directory, name) as address:
            listener.bind(address)
        pid = os.fork()
        if pid == 0:
            ours.close()
            # Forked again: the keeper must be nobody's child, least of all a command's zombie.
            if os.fork() == 0:
                _keep(server, keeper, listener, directory, name, theirs)
            os._exit(0)
    theirs.close()
    os.waitpid(pid, 0)
    try:
        ours.expect("done")
    except BaseException:
        try:
            os.unlink(f"{directory}/{name}")
        except FileNotFoundError:
            pass
        raise
    finally:
        ours.close()


def _keep(server: jail.Server, keeper: str, listener: socket.socket, directory: str, name: str, channel: Channel) -> NoReturn:
    """In the fork: mount, and become the keeper. Never returns."""
    step = "mount the image"
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # An image that its server never comes to the end of: the alarm kills us, and that kills the server.
        signal.alarm(_ANSWER_TIMEOUT_S)
        n.unshare(n.CLONE_NEWNS | n.CLONE_NEWPID)  # the pid namespace is our children's
        m.mount(None, "/", None, m.MS_REC | m.MS_SLAVE)
        pidfd, said = _mount(server, directory + "/mnt")
        try:
            os.stat(directory + "/mnt")
            os.listdir(directory + "/mnt")
        except OSError as error:
            raise _unreadable(server.path, os.pread(said, 2000, 0), error) from error
        signal.alarm(0)
        listener.listen(_BACKLOG)
        channel.send("done")
        channel.close()
        step = "keep the mount"
        _exec_keeper(keeper, listener.fileno(), pidfd, f"{directory}/{name}", directory + "/mnt")
    except FAILURES as error:
        channel.send_error(error, step=step)
    finally:
        os._exit(125)


def _mount(server: jail.Server, where: str) -> tuple[int, int]:
    """Mount at `where`, and start the server: its pidfd, and the memory file that its messages go to."""
    try:
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise NotSupported(
            f"an image file cannot be mounted without /dev/fuse: {error.strerror}",
            hint="as administrator: modprobe fuse; and give /dev/fuse the mode 0666",
        ) from error
    words = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    try:
        m.mount("squashfuse", where, "fuse", m.MS_RDONLY | m.MS_NOSUID | m.MS_NODEV, words)
    except OSError as error:
        raise NotSupported(f"an image file cannot be mounted here: FUSE: {error.strerror}",
                           hint="run `rootless doctor`: it says whether /dev/fuse can be used here") from error  # fmt: skip
    said = os.memfd_create("said", os.MFD_CLOEXEC)
    begin, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        jail.serve(server, fuse, said, begin)
    os.close(begin)
    os.close(fuse)  # so that the mount is dead as soon as the server is
    pidfd = os.pidfd_open(pid)
    os.write(go, b"g")
    os.close(go)
    return pidfd, said


def _unreadable(path: str, said: bytes, error: OSError) -> RootlessError:
    lines = [plain(line) for line in said.decode(errors="replace").splitlines() if line.strip()]
    why = lines[0] if lines else str(error.strerror)
    return InvalidInput(f"{PROGRAM} cannot mount {path}: {why}", hint="fetch or make the image file again: it may be damaged")


def _exec_keeper(program: str, listener: int, server: int, path: str, where: str) -> NoReturn:
    # Out of the way first: either may be one of the numbers it has to get out of.
    listener = fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, 10)
    server = fcntl.fcntl(server, fcntl.F_DUPFD_CLOEXEC, 10)
    os.dup2(listener, _LISTEN_FD)
    os.dup2(server, _SERVER_FD)
    process.close_range(_SERVER_FD + 1, 0xFFFFFFFF)
    inherited.leave_streams()
    words = ["--listen", str(_LISTEN_FD), "--socket", path, "--mount", where, "--server", str(_SERVER_FD), "--idle", str(IDLE_S)]
    os.execve(program, [program, *words], {})
