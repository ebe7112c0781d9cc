"""What squashfuse_ll is locked into: it parses bytes that anybody may have made, with the rights of the user.

It gets no network, sees no process but its own threads and no file but /usr and the one image, read-only, has a user
namespace in which nothing is mapped, so no capability, and may call what a file server calls. Runs in a forked child.
"""

from __future__ import annotations

import os
from typing import NoReturn

from rootless.errors import FAILURES, InvalidInput
from rootless.linux import mount as m
from rootless.linux import namespace as n
from rootless.linux.process import close_range, set_no_new_privs, set_pdeathsig
from rootless.linux.rlimit import get_limit, set_limit
from rootless.linux.seccomp import load_filter
from rootless.linux.signals import ignore_sent_to_jobs
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.process.credentials import Filter

_FUSE_FD = 3
_IMAGE = "/image"
_LINKED = ("/lib", "/lib64", "/lib32", "/libx32", "/bin", "/sbin")
_ENOSYS = 38
_NAMESPACES = 0x7E020000  # CLONE_NEW* of clone(2)
PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [
        {
            "action": "SCMP_ACT_ALLOW",
            "names": [
                # what its memory, threads and time are made of
                "brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "futex", "futex_waitv", "set_robust_list", "get_robust_list",
                "rseq", "arch_prctl", "set_tid_address", "membarrier", "sched_yield", "sched_getaffinity", "gettid", "getpid", "getppid",
                "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack", "tgkill", "restart_syscall",
                "exit", "exit_group", "clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom", "uname",
                "prlimit64", "getrlimit", "sysinfo", "getuid", "geteuid", "getgid", "getegid",
                # files that there are, and the kernel's requests
                "read", "pread64", "readv", "preadv", "write", "writev", "lseek", "_llseek", "open", "openat", "close", "close_range",
                "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "chdir", "umask",
                "fstat", "stat", "lstat", "newfstatat", "statx", "fstatfs", "statfs", "getdents64", "fcntl", "dup", "dup2", "dup3",
                "pipe2", "pipe", "poll", "ppoll", "splice", "vmsplice", "tee", "ioctl", "execve",
            ],
        },
        {"action": "SCMP_ACT_ALLOW", "names": ["clone"],
         "args": [{"index": 0, "value": _NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
        # The C library asks for clone(2) then, whose flags a filter can see.
        {"action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS, "names": ["clone3"]},
    ],
}  # fmt: skip
_LIMITS = {
    "RLIMIT_AS": 2 << 30,  # ten threads have stacks, allocators and a block each of what they unpack
    "RLIMIT_FSIZE": 1 << 16,  # its messages
    "RLIMIT_NOFILE": 64,
    "RLIMIT_CORE": 0,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
}


class Server(Record):
    """squashfuse_ll and the image it is to serve: the open file `fd`, which is at `path`. `root` is an empty directory."""

    program: str
    fd: int
    path: str
    offset: int
    root: str
    filter: Filter


def serve(server: Server, fuse: int, said: int, begin: int) -> NoReturn:
    """Become the server of the mount behind `fuse`; its messages go to `said`. What fails before is written there, too.

    Never returns. A byte in the pipe `begin` says that the caller lives, who is to be outlived by no moment.
    """
    try:
        for fd in (1, 2):
            os.dup2(said, fd)
        n.unshare(n.CLONE_NEWNS | n.CLONE_NEWNET | n.CLONE_NEWIPC | n.CLONE_NEWUTS)
        m.mount(None, "/", None, m.MS_REC | m.MS_PRIVATE)
        _make_root(server)
        os.dup2(os.open("/", os.O_PATH | os.O_CLOEXEC), 0)  # nothing to read
        # Nobody is mapped in there: whoever we are, we are nobody, and keep no capability over what is above.
        n.unshare(n.CLONE_NEWUSER)
        set_pdeathsig(9)  # after that, which clears it
        if os.read(begin, 1) != b"g":
            os._exit(1)
        for name, most in _LIMITS.items():
            hard = get_limit(name)[1]
            limit = most if hard < 0 else min(most, hard)
            set_limit(name, limit, limit)
        os.dup2(fuse, _FUSE_FD)
        close_range(_FUSE_FD + 1, 0xFFFFFFFF)
        words = [server.program, "-f", "-o", f"offset={server.offset}", _IMAGE, f"/dev/fd/{_FUSE_FD}"]
        ignore_sent_to_jobs()  # it ends with the keeper of its mount, which has containers to think of
        set_no_new_privs()
        load_filter(server.filter.bpf, server.filter.flags)
        os.execve(server.program, words, {"LC_ALL": "C", "PATH": "/usr/bin"})
    except FAILURES as error:
        os.write(2, f"{error}\n".encode(errors="replace")[:1000])
    finally:
        os._exit(125)


def _make_root(server: Server) -> None:
    """A root with /usr, the program and the image in it, and nothing else."""
    root = server.root
    m.mount("tmpfs", root, "tmpfs", m.MS_NOSUID | m.MS_NODEV, "size=64k,mode=755")
    _show("/usr", root + "/usr", directory=True)
    for path in _LINKED:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.isdir(path):
            _show(path, root + path, directory=True)
    for path in _program_files(server.program):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        _show(path, root + path, directory=os.path.isdir(path))
    _show(server.path, root + _IMAGE, directory=False)
    wanted, found = os.fstat(server.fd), os.stat(root + _IMAGE)
    if (wanted.st_dev, wanted.st_ino) != (found.st_dev, found.st_ino):
        raise InvalidInput("the image file was replaced meanwhile")
    m.mount(None, root, None, m.MS_REMOUNT | m.MS_BIND | m.MS_RDONLY | m.MS_NOSUID | m.MS_NODEV)
    os.chdir(root)
    m.pivot_root(".", ".")
    m.umount2(".", m.MNT_DETACH)
    os.chdir("/")


def _program_files(program: str) -> list[str]:
    """What a program outside of /usr needs: itself, and the libraries that were installed with it."""
    if program.startswith("/usr/"):
        return []
    above = os.path.dirname(os.path.dirname(program))
    libraries = [f"{above}/{name}" for name in ("lib", "lib64") if above != "/"]
    return [program, *(path for path in libraries if os.path.isdir(path))]


def _show(path: str, where: str, *, directory: bool) -> None:
    if directory:
        os.makedirs(where, exist_ok=True)
    else:
        os.close(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    tree = m.open_tree(m.AT_FDCWD, path, m.OPEN_TREE_CLONE | (m.AT_RECURSIVE if directory else 0))
    try:
        attributes = m.MOUNT_ATTR_RDONLY | m.MOUNT_ATTR_NOSUID | m.MOUNT_ATTR_NODEV
        m.mount_setattr(tree, "", m.AT_EMPTY_PATH | (m.AT_RECURSIVE if directory else 0), attr_set=attributes)
        m.move_mount(tree, "", m.AT_FDCWD, where, m.MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)
