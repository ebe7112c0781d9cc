"""Emulated ids: the program that answers for them, its filters, and how it gets their listeners.

A container whose user has no range of subordinate ids has one id. The program helpers/ids answers its processes'
calls about ids and owners (seccomp_unotify(2)) from credentials of its own: docs/development/decisions/ids.md. It is a child of
the container's monitor, ends with it and with the container, and the container with it. Hot path.
"""

from __future__ import annotations

import os

from rootless import atomic, paths
from rootless.errors import NotSupported, RootlessError
from rootless.linux import rlimit, signal, socket, struct
from rootless.linux.process import set_no_new_privs
from rootless.linux.seccomp import (
    SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    flags_known,
    load_filter,
)
from rootless.linux.socket import address_in
from rootless.record import Record
from rootless.runtime.clone import fork_into

LEVELS = ("fake", "ids", "full")
"""What is emulated: success and nothing else; ids; ids and owners."""
OWNERS = "owners"
"""In the container's directory (runtime/owner_record.py)."""
LEAF = "rootless-ids"
"""The program's cgroup, inside the container's: helpers/monitor/cgroup.c removes it."""
SOCKET = "ids"
"""In the directory that the container's start had."""
_ALLOW = b"\x06\0\0\0\0\0\xff\x7f"  # BPF_RET SECCOMP_RET_ALLOW
_MOST_GROUPS = 512  # helpers/ids/main.c
_PATIENCE_S = 60.0  # a container can make the program wait: for a file system of its own, which does not answer


class IdFilter(Record):
    """The filter that sends a level's calls to the program; empty `bpf`: nothing is emulated. `asks`: it has a listener."""

    bpf: bytes = b""
    asks: bool = False


def filter_of(level: str, *, cache_dir: str) -> IdFilter:
    """The filter of a level, "" for none; kept in `cache_dir`. NotSupported where ids cannot be emulated."""
    if not level:
        return IdFilter()
    if rlimit.get_limit("RLIMIT_RTTIME")[1] != -1:
        raise NotSupported(
            "ids cannot be emulated where RLIMIT_RTTIME has a hard limit: a process's ids are kept there",
            hint="the administrator's limits (/etc/security/limits.conf: rttime) stand against it",
        )
    program = paths.helper("ids")
    status = os.stat(program)
    path = os.path.join(cache_dir, f"ids-{level}-{status.st_size:x}-{status.st_mtime_ns:x}.bpf")
    try:
        with open(path, "rb", buffering=0) as file:
            bpf = file.read()
    except OSError:
        bpf = b""
    if not bpf:
        bpf = _written(program, level)
        try:
            os.makedirs(cache_dir, mode=0o700, exist_ok=True)
            atomic.write_bytes(path, bpf)
        except OSError:
            pass  # as a filter of a profile: done without
    return IdFilter(bpf, level != "fake")


def too_old() -> NotSupported:
    """Where the kernel does not keep a task that is asked for from being interrupted."""
    return NotSupported("ids are emulated from Linux 5.19 on", hint="--emulate-ids=fake says success only")


def twice() -> NotSupported:
    """Where a filter of ours has a listener already: the kernel takes one for a task."""
    return NotSupported(
        "ids are emulated out here already, and not twice", hint="leave --emulate-ids out: who answers out here does so in there"
    )


def require(*, cache_dir: str) -> None:
    """NotSupported, with the remedy, where calls cannot be answered in a container that we start."""
    filter_of("full", cache_dir=cache_dir)
    if not flags_known(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV):
        raise too_old()
    with open("/proc/self/status") as file:
        filters = next((line.split()[1] for line in file if line.startswith("Seccomp_filters:")), "0")
    # A listener comes with a filter: who has none is asked nothing more.
    if filters != "0" and not _takes_listener():
        raise twice()


def _takes_listener() -> bool:
    """Whether a filter with a listener can be loaded: by a child, which has it for the rest of its life."""
    pid = os.fork()
    if pid == 0:
        try:
            set_no_new_privs()
            load_filter(_ALLOW, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def refuse_two(ids: IdFilter, flags: int) -> None:
    """NotSupported where the container's own filter, loaded with `flags`, has a listener, too: the kernel takes one."""
    if ids.asks and flags & SECCOMP_FILTER_FLAG_NEW_LISTENER:
        raise NotSupported("ids cannot be emulated beside a seccomp profile that notifies (SCMP_ACT_NOTIFY)")


def _written(program: str, level: str) -> bytes:
    read_end, write_end = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, write_end, 1)]
        pid = os.posix_spawn(program, ["rootless-ids", "--filter", level], {}, file_actions=actions)
    except OSError as error:
        os.close(read_end)
        raise RootlessError(f"cannot run {program}: {error.strerror}") from None
    finally:
        os.close(write_end)
    with open(read_end, "rb") as file:
        bpf = file.read()
    if os.waitpid(pid, 0)[1] or not bpf or len(bpf) % 8:
        raise NotSupported(f"ids cannot be emulated on {os.uname().machine}")
    return bpf


def start(listening: socket.socket, container_dir: str = "", cgroup: str = "") -> int:
    """Start the program as our child, in `cgroup`, with the socket that `hand_over` connects to, which is closed here. Returns its pid.

    In `container_dir`, "" for none, it keeps the owners of what can have no attribute: OWNERS. OSError or RootlessError."""
    program = paths.helper("ids")
    fds = {
        "--proc": os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC),
        "--socket": listening.detach(),
    }
    if container_dir:
        fds["--owners"] = os.open(f"{container_dir}/{OWNERS}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fds["--upper"] = os.open(f"{container_dir}/upper", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            pass  # a root without layers
    for fd in fds.values():
        os.set_inheritable(fd, True)
    words = ["rootless-ids", *(str(word) for option in fds.items() for word in option)]
    try:
        # A fork would have us copy each page of ours that we write to from then on.
        return _start_in(cgroup, program, words) if cgroup else os.posix_spawn(program, words, os.environ)
    finally:
        for fd in fds.values():
            os.close(fd)


def _start_in(cgroup: str, program: str, words: list[str]) -> int:
    pid, there = fork_into(cgroup)
    if pid == 0:
        try:
            os.execv(program, words)
        finally:
            os._exit(127)
    if not there:
        from rootless.cgroup import cgroupfs

        try:
            cgroupfs.write(cgroup + "/cgroup.procs", str(pid))
        except BaseException:
            os.kill(pid, signal.SIGKILL)  # nobody else knows of it as yet
            raise
    return pid


def hand_over(run_dir: str, listener: int, ids: list[int]) -> None:
    """Have the calls that come by `listener` answered; `ids` are the uid, the gid and the groups that their process
    begins with. Returns when the program has taken it. RootlessError."""
    if not all(isinstance(number, int) and 0 <= number < 1 << 32 for number in ids) or len(ids) < 2:
        raise RootlessError("a process of the launch was tampered with: its ids are none")
    if len(ids) > 2 + _MOST_GROUPS:
        raise NotSupported(f"more than {_MOST_GROUPS} supplementary groups, and ids are emulated")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(_PATIENCE_S)
    try:
        with address_in(run_dir, SOCKET) as address:
            sock.connect(address)
        socket.send_fds(sock, [struct.pack(f"={len(ids)}I", *ids)], [listener])
        taken = sock.recv(1)
    except OSError as error:
        raise RootlessError(f"the program that emulates ids does not answer: {error}") from None
    finally:
        sock.close()
    if not taken:
        raise RootlessError("the program that emulates ids takes no more processes")
