"""Where a container's cgroup may be made, from the cheapest place to none.

    delegated   the cgroup we are in is ours to divide: systemd says so (user.delegate), or nobody
                else manages it (a container, a subtree that an administrator put us into)
    systemd     the user's own systemd makes a scope for the container
    admin       a directory that an administrator made for this user: $ROOTLESS_CGROUP_ROOT, else
                MOUNT/rootless/UID. The kernel only lets us move in from within it, or where the
                common ancestor is ours (cgroup-v2.rst, "Delegation Containment")

The mount is /sys/fs/cgroup, or /sys/fs/cgroup/unified on a host with v1 controllers: there nothing
can be limited, but a container can be frozen, killed and measured. Inside a batch job only the
first rung counts: what would leave the job's cgroup would escape its accounting and its limits. Hot path.
"""

from __future__ import annotations

import os

from rootless import paths
from rootless.errors import NotSupported
from rootless.linux.filesystem import filesystem_type
from rootless.record import Record

UNIFIED = "/sys/fs/cgroup"
HYBRID = "/sys/fs/cgroup/unified"
ROOT_VARIABLE = "ROOTLESS_CGROUP_ROOT"
DELEGATED_VARIABLE = "ROOTLESS_DELEGATED_UNIT"
LEAF = "rootless-leaf"
DELEGATED = "Delegate=cpu cpuset io memory pids"

# A path component that these systems alone make, in any hierarchy: name, test of one component.
_BATCH_SYSTEMS = (
    ("Slurm", lambda part: part in ("slurmstepd.scope", "slurmd.service", "slurm") or part.startswith("slurm_")),
    ("PBS", lambda part: part in ("pbs_jobs.service", "pbspro", "pbs_jobs", "pbspro.service", "pbs.service")),
    ("HTCondor", lambda part: part in ("htcondor", "condor.service") or part.startswith(("condor_", "htcondor"))),
    ("LSF", lambda part: part == "lsf"),
    ("Grid Engine", lambda part: part in ("GE", "sge", "UGE")),
    ("Flux", lambda part: part.startswith(("imp-shell-", "flux-job"))),
)


class Facts(Record):
    """What a process is told of cgroups: the v2 mount ("" for none), its path there, and all of
    its /proc/self/cgroup."""

    mount: str
    own: str
    text: str
    uid: int

    @property
    def directory(self) -> str:
        """Our own cgroup in the file system."""
        return self.mount + self.own.rstrip("/")


class Subtree(Record):
    """A place for cgroups of containers. `path`: a directory to make them in ("" where a scope has to be
    asked for); `controllers`: those that can be enabled there; `how`: delegated, systemd or admin."""

    how: str
    path: str
    controllers: frozenset[str]


class Search(Record):
    """The places to try, in order, and why there are no more: a hint for whoever can mend it."""

    subtrees: tuple[Subtree, ...]
    batch: str
    hint: str


def facts() -> Facts:
    """The facts of this process."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError:
        text = ""
    return Facts(mount_point(), own_path(text), text, paths.host_uid() or _owner_of_root())


def _owner_of_root() -> int:
    """Whose systemd root's is: in a user namespace (Podman's, unshare's) that of the user it is outside."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        for line in file:
            inside, outside, _ = map(int, line.split())
            if inside == 0:
                return outside
    return 0


def mount_point() -> str:
    """Where cgroup v2 is mounted; "" where it is not."""
    for place in (UNIFIED, HYBRID):
        try:
            if filesystem_type(place) == "cgroup2":
                return place
        except OSError:
            continue
    return ""


def own_path(text: str) -> str:
    """Our path in the v2 hierarchy, of the text of /proc/self/cgroup; "" where there is none. Pure."""
    for line in text.splitlines():
        if line.startswith("0::/"):
            return line[3:].removesuffix(" (deleted)")
    return ""


def batch_system(text: str) -> str:
    """The batch system whose job we are in, of the text of /proc/self/cgroup; "" for none. Pure."""
    parts = [part for line in text.splitlines() for part in line.split(":", 2)[-1].split("/") if part]
    for name, is_its in _BATCH_SYSTEMS:
        if any(is_its(part) for part in parts):
            return name
    return ""


def search(known: Facts | None = None) -> Search:
    """Every place where this process may make a container's cgroup, best first; NotSupported where
    $ROOTLESS_CGROUP_ROOT names one that is not usable."""
    known = known or facts()
    batch = batch_system(known.text)
    named = os.environ.get(ROOT_VARIABLE, "")
    if not known.mount or not known.own or ".." in known.own.split("/"):
        if named:
            raise NotSupported(f"${ROOT_VARIABLE} is set, but this host has no cgroup v2")
        return Search((), batch, _no_v2())
    if named:
        named = os.path.normpath(named if named.startswith(known.mount) else f"{known.mount}/{named}")
        if not is_ours(named) or not (named + "/").startswith(known.mount + "/"):
            raise NotSupported(
                f"${ROOT_VARIABLE}: {named} is not a cgroup that this account may divide",
                hint=_admin_lines(known.mount, known.uid, named),
            )
        if not batch or (known.directory + "/").startswith(named + "/"):
            return Search((Subtree("admin", named, controllers(named)),), batch, _hint(known, batch))
    found = []
    own = delegated(known)
    if own:
        found.append(Subtree("delegated", own, controllers(own)))
    if not batch:
        manager = manager_directory(known)
        if manager:
            found.append(Subtree("systemd", "", controllers(manager)))
        admin = f"{known.mount}/rootless/{known.uid}"
        if is_ours(admin) and not (own + "/").startswith(admin + "/"):
            found.append(Subtree("admin", admin, controllers(admin)))
    return Search(tuple(found), batch, _hint(known, batch))


def delegated(known: Facts) -> str:
    """The directory above or at our own cgroup that is ours to divide; "" where there is none."""
    path = known.directory
    if not is_ours(path):
        return ""
    if f"/user@{known.uid}.service" in known.own:
        # All below belongs to the user, yet is systemd's to manage but where it says otherwise.
        while not path.endswith(f"/user@{known.uid}.service"):
            if _is_marked(path):
                # A container's own scope is where its monitor starts it again, and nobody else anything.
                return "" if is_container_scope(path) else path
            path = os.path.dirname(path)
        return ""
    # As high as it goes, so that our own process need not get out of the way (no internal processes).
    while path != known.mount and is_ours(os.path.dirname(path)):
        path = os.path.dirname(path)
    return path


def is_container_scope(path: str) -> bool:
    """Whether the cgroup is a scope that was made for a container of ours."""
    name = os.path.basename(path)
    return name.startswith("rootless-") and name.endswith(".scope")


def unit_of(path: str) -> str:
    """The unit of a user's systemd that the cgroup lies in, as a container's of an enabled unit does; "" for none. Pure."""
    parts = path.split("/")
    managers = [number for number, part in enumerate(parts) if part.startswith("user@") and part.endswith(".service")]
    below = parts[managers[-1] + 1 :] if managers else []
    return next((part for part in below if part.endswith((".service", ".scope"))), "")


def is_ours(path: str) -> bool:
    """Whether we may make cgroups below the cgroup `path` and put processes into them."""
    return all(os.access(path + name, os.W_OK) for name in ("", "/cgroup.procs", "/cgroup.subtree_control"))


def _is_marked(path: str) -> bool:
    """Whether systemd (251 or newer) has marked the cgroup as delegated, systemd.resource-control(5).

    A user's systemd 252 marks nothing: the units that `rootless enable` writes say themselves that they are.
    """
    if os.path.basename(path) == os.environ.get(DELEGATED_VARIABLE):
        return True
    try:
        return os.getxattr(path, "user.delegate") == b"1"
    except OSError:
        return False


def controllers(path: str) -> frozenset[str]:
    """The controllers that a cgroup may hand on; none where it cannot be read."""
    try:
        with open(path + "/cgroup.controllers", encoding="ascii") as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


def manager_directory(known: Facts) -> str:
    """The cgroup of the user's systemd; "" where none runs or nobody answers for it."""
    path = f"{known.mount}/user.slice/user-{known.uid}.slice/user@{known.uid}.service"
    if not os.access(path + "/cgroup.procs", os.W_OK):
        return ""
    return path if any(os.path.exists(socket) for socket in bus_sockets(known.uid)) else ""


def bus_sockets(uid: int) -> tuple[str, ...]:
    """Where the user's D-Bus listens, which knows the user's systemd."""
    found = [f"/run/user/{uid}/bus"]
    named = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    for address in named.split(";"):
        if address.startswith("unix:path="):
            found.insert(0, address.removeprefix("unix:path=").partition(",")[0])
    return tuple(dict.fromkeys(found))


def _no_v2() -> str:
    return (
        "this host has cgroup v1 only: the administrator boots it with "
        "systemd.unified_cgroup_hierarchy=1 on the kernel's command line"
    )


def _hint(known: Facts, batch: str) -> str:
    """Who can give us controllers here, and how."""
    if batch:
        return (
            f"this is a job of {batch}: a container stays below the job's cgroup, whose limits hold for it; "
            "ask the batch system for the limit"
        )
    if known.mount == HYBRID:
        return _no_v2().replace("cgroup v1 only", "its controllers in cgroup v1")
    if os.path.isdir("/run/systemd/system"):
        delegate = (
            "the administrator runs: mkdir -p /etc/systemd/system/user@.service.d && "
            f"printf '[Service]\\n{DELEGATED}\\n' "
            "> /etc/systemd/system/user@.service.d/delegate.conf && systemctl daemon-reload "
            f"&& systemctl restart user@{known.uid}.service"
        )
        if manager_directory(known):
            return delegate
        return (
            "no systemd of this user runs: log in by ssh or at the console instead of su or sudo, or "
            f"the administrator runs: loginctl enable-linger {known.uid}\nand for all controllers: {delegate}"
        )
    return _admin_lines(known.mount, known.uid, f"{known.mount}/rootless/{known.uid}")


def _admin_lines(mount: str, uid: int, path: str) -> str:
    return (
        f"the administrator runs: mkdir -p {path}/login && chown {uid} {path} {path}/login "
        f"{path}/cgroup.procs {path}/cgroup.subtree_control {path}/login/cgroup.procs, enables the controllers "
        f"in cgroup.subtree_control of {mount} and of what lies between, and starts this login in {path}/login"
    )
