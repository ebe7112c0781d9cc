"""What the first of several ranks with the same words leaves, so that the launcher lets the others into their container without an
interpreter (helpers/ranks/, docs/development/decisions/shared-containers.md).

    RUNTIME/shared/<hash>.<key>.facts     by the container's key and a hash of the words, which the launcher tells us

Fields, each with a NUL at its end; a list is its length and its words. `_of_host` and `_of_process` have them in their order,
helpers/ranks/facts.c reads them. The launcher takes a file for its command line only if all that is in it is so still: the words,
the directory, the environment but for what is each rank's own, the files by which the request is made, the container and the
process that is its PID 1.
All else is left to Python, and so is what has no facts: a terminal, emulated ids, security labels, Landlock, a filter that notifies.

With the facts there is nothing that `exec` does not read from the container's own records: who could write here could write there.
Imported by the first alone.
"""

from __future__ import annotations

import os
import sys

from rootless import atomic, inherited, paths, user_config
from rootless.cli.grammar.command import Args
from rootless.cli.output.messages import debugging
from rootless.cli.terminal import job_end
from rootless.engine.lifecycle.request import Request
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig
from rootless.linux import rlimit
from rootless.linux.capability import CAPABILITIES, last_cap
from rootless.linux.filesystem import file_identity
from rootless.linux.process import boot_id, pid_namespace
from rootless.linux.seccomp import SECCOMP_FILTER_FLAG_NEW_LISTENER
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.exec import Entered
from rootless.runtime.process.landlock import KEY as LANDLOCK
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    Field = str | bytes | int | list[str] | list[bytes]

FORM = "rootless-rank 1"
_LARGEST_BYTES = 1 << 20  # of helpers/ranks/facts.c
_MOST_FILES = 256
_KNOWN = frozenset((
    "shared", "interactive", "network", "env", "env_host", "volume", "mount", "tmpfs", "workdir", "user", "userns", "rm", "entrypoint",
    "read_only", "hostname", "cap_add", "cap_drop", "device", "ipc", "uts", "ulimit", "umask", "group_add", "shm_size", "stop_timeout",
    "privileged", "security_opt", "annotation", "label", "add_host",
))  # fmt: skip
"""Options of which all is in their words: none names a file that is read for each command anew."""
_STRICT = (
    "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURMD_NODENAME", "PBS_JOBID", "LSB_JOBID", "FLUX_JOB_ID", "PMIX_SERVER_TMPDIR", "PMIX_MCA_gds",
)  # fmt: skip
"""Of the variables that are each rank's own those that we read ourselves."""
_PROCESS = frozenset((
    "terminal", "user", "args", "env", "cwd", "capabilities", "rlimits", "noNewPrivileges", "oomScoreAdj", LANDLOCK,
))  # fmt: skip
"""What the launcher knows of an OCI process object; `exec` leaves the OOM score alone as well."""


class Ranks(Record):
    """Which variables go from each rank's environment to its command: by how their names begin, and by name."""

    prefixes: tuple[str, ...]
    names: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether the variable is one of them."""
        return name.startswith(self.prefixes) or name in self.names


class Claim:
    """The lock by which others with the same words wait for us, until we let it go or end."""

    def __init__(self, args: Args, request: Request, ranks: Ranks) -> None:
        self.hash = inherited.claim.partition(":")[2]
        self.args, self.request, self.ranks = args, request, ranks
        self.entered: list[Entered] = []

    def look(self, store: Store, record: ContainerConfig, key: str) -> None:
        """See what is to be the same still when others come: before the container is entered."""
        directory = f"{store.root}/containers/{record['id']}"
        docker = os.environ.get("DOCKER_CONFIG") or paths.home() + "/.docker"
        files = (docker + "/config.json", user_config.path(), directory + "/config.json", directory + "/state.json")
        self.store, self.record, self.key = store, record, key
        self.host_files = [word for path in files for word in (path, file_identity(path))]

    def leave(self, fixed: list[str]) -> None:
        """Once we are in the container: write the facts, where they can be said, and let the others go on. `fixed` are variables that
        come after each rank's own."""
        try:
            data = self._text(fixed) if self.entered else None
            directory = self.store.runtime + "/shared"
            if data is not None and sum(name.endswith(".facts") for name in os.listdir(directory)) < _MOST_FILES:
                atomic.write_bytes(f"{directory}/{self.hash}.{self.key}.facts", data, durable=False)
        except (OSError, ValueError):
            pass  # a full disk, a NUL in an image's words: each of them starts an interpreter
        finally:
            inherited.give_up_claim()

    def _text(self, fixed: list[str]) -> bytes | None:
        environment = self._environment()
        if environment is None or not _can_be_said(self.entered[0], self.record):
            return None
        if self.args.env_host:
            fixed = [*self._of_the_interpreter(environment), *fixed]
        fields: list[Field] = [*self._of_host(environment), *self._of_process(fixed)]
        found = b"".join(_encoded(field) for field in fields) + self.entered[0].confinement.seccomp.bpf
        return found if len(found) <= _LARGEST_BYTES else None

    def _environment(self) -> list[bytes] | None:
        """What the launcher had, but for what is each rank's own; None where a name is there twice, or an entry is none."""
        with open("/proc/self/environ", "rb", buffering=0) as file:
            entries = file.readall().split(b"\0")[:-1]
        names = [os.fsdecode(entry.partition(b"=")[0]) for entry in entries]
        if len(set(names)) < len(names) or "" in names or any(b"=" not in entry for entry in entries):
            return None
        return [entry for name, entry in zip(names, entries, strict=True) if name in _STRICT or not self.ranks.has(name)]

    def _of_the_interpreter(self, environment: list[bytes]) -> list[str]:
        """Variables that are its own doing (LC_CTYPE, in the C locale), and go to the command with --env-host."""
        known = {os.fsdecode(entry.partition(b"=")[0]) for entry in environment}
        known |= {entry.partition("=")[0] for entry in self.record["env"]} | {paths.SESSION_VARIABLE}
        return [f"{name}={value}" for name, value in os.environ.items() if name not in known and not self.ranks.has(name)]

    def _of_host(self, environment: list[bytes]) -> list[Field]:
        """By which the launcher knows that it is asked for the same, and where that is."""
        state = running.read_state(self.store, self.record["id"])
        request = self.entered[0].request
        session = 0 if self.args.shared or paths.job() else os.getsid(0)
        return [
            FORM, file_identity(sys.argv[0]), self.key, self.record["id"], os.getcwdb(), [os.fsencode(word) for word in sys.argv[1:]],
            environment, list(self.ranks.prefixes), list(self.ranks.names), list(_STRICT), self.host_files, session,
            request.pid, request.start_time, boot_id(), pid_namespace(),
            int(state.get("monitor_pid") or 0), int(state.get("monitor_start_time") or 0), self.entered[0].namespaces,
        ]  # fmt: skip

    def _of_process(self, fixed: list[str]) -> list[Field]:
        """What the command gets."""
        entered, request = self.entered[0], self.request
        process, (capabilities, seccomp, *_) = entered.request.process, entered.confinement
        umask = process["user"].get("umask")
        limits = [str(number) for limit in process["rlimits"]
                  for number in (rlimit.NUMBERS[limit["type"]], limit["soft"], limit["hard"])]  # fmt: skip
        timeout = job_end.STOP_TIMEOUT_S if request.stop_timeout is None else request.stop_timeout
        sets = (capabilities.effective, capabilities.permitted, capabilities.inheritable, capabilities.bounding)
        return [
            entered.uid, entered.gid, int(entered.keeps_groups), [str(group) for group in entered.groups], entered.home,
            entered.files, 0o022 if umask is None else umask, limits, *(_mask(names) for names in sets), last_cap(),
            int(bool(process["noNewPrivileges"])), process["cwd"], int(self.args.env_host),
            self.record["env"], request.env, fixed, process["args"],
            str(timeout) if paths.job() and timeout >= 0 else "", paths.helper("exec"),
            seccomp.flags, int(seccomp.kills), len(seccomp.bpf),
        ]  # fmt: skip


def claim(args: Args, request: Request, ranks: Ranks) -> Claim | None:
    """Ours, where what is asked for can be said by facts; else it is let go at once, and None."""
    bare = [word for word in args.env if "=" not in word]
    if args.tty or not args.sig_proxy or debugging() or not args.given <= _KNOWN or any(ranks.has(word) for word in bare):
        inherited.give_up_claim()
        return None
    return Claim(args, request, ranks)


def _can_be_said(entered: Entered, record: ContainerConfig) -> bool:
    request, confinement = entered.request, entered.confinement
    words = [*record["env"], *request.process["env"]]
    return (
        set(request.process) <= _PROCESS
        and entered.home != ""
        and not (confinement.scopes or confinement.ids.bpf or confinement.capabilities.ambient)
        and not confinement.seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER
        # A profile of the user's own is a file that he may change.
        and record["security"]["seccomp"] in ("", "builtin", "unconfined")
        and not request.cgroup.path
        and all("=" in word for word in words)
    )


def _mask(names: Set[str]) -> int:
    return sum(1 << CAPABILITIES[name] for name in names)


def _encoded(field: Field) -> bytes:
    if isinstance(field, list):
        words: Iterable[str | bytes] = field
        return b"%d\0" % len(field) + b"".join(_encoded(word) for word in words)
    data = field if isinstance(field, bytes) else os.fsencode(str(field))
    if b"\0" in data:
        raise ValueError("a field has a NUL")
    return data + b"\0"
