"""doctor: what the kernel and the login give: seccomp, Landlock, cgroups, directories, limits."""

from __future__ import annotations

import ctypes
import os
import sys
import time

from rootless import paths
from rootless.cgroup import subtrees
from rootless.engine.doctor.result import ProbeResult, error, not_available, ok, warning
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.engine.state import confinement
from rootless.errors import NotSupported
from rootless.linux import landlock
from rootless.linux.process import set_no_new_privs
from rootless.linux.seccomp import load_filter
from rootless.network.privileged_ports import sysctl_fix
from rootless.runtime.process import landlock as scoping
from rootless.session.diagnosis import read_fact
from rootless.session.ids.mapping import user_name

_RETURN_ALLOW = b"\x06\x00\x00\x00\x00\x00\xff\x7f"  # BPF_RET | BPF_K, SECCOMP_RET_ALLOW
_WAYS = {"delegated": "a cgroup of this login's own", "systemd": "the user's systemd", "admin": "an administrator's cgroup"}
_FIRST_PLAUSIBLE_TIME = 1_700_000_000
DELEGATION = "[Service]\nDelegate=cpu cpuset io memory pids"
_DELEGATE_FILE = "/etc/systemd/system/user@.service.d/rootless-delegate.conf"


def kernel(_: Scene) -> ProbeResult:
    """Versions, for bug reports, and a clock that certificates can live with."""
    system = os.uname()
    text = f"Linux {system.release} {system.machine}, Python {sys.version.partition(' ')[0]}"
    if time.time() < _FIRST_PLAUSIBLE_TIME:
        return warning("kernel", f"{text}; the clock says {time.strftime('%Y-%m-%d', time.localtime(time.time()))}",
                       "registries' certificates seem not valid yet", "", "sudo timedatectl set-ntp true")  # fmt: skip
    return ok("kernel", text)


def helpers(_: Scene) -> ProbeResult:
    """Our C programs, started: a missing one, or a virtual environment on noexec, shows here."""
    for name in ("init", "monitor", "holder"):
        path = paths.helper(name)
        null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        try:
            pid = os.posix_spawn(path, [path], {}, file_actions=null)
        except OSError as problem:
            return error("helpers", f"{path} cannot be started: {problem.strerror}", "no container can run",
                         "install rootless on a file system that is not mounted noexec")  # fmt: skip
        os.waitpid(pid, 0)
    return ok("helpers", "init, monitor and holder can be started")


def seccomp(_: Scene) -> ProbeResult:
    """libseccomp found, and a filter taken by the kernel."""
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return warning("seccomp", "libseccomp.so.2 is not installed", "containers cannot get their system call filter",
                       "--security-opt seccomp=unconfined runs without a filter",
                       "apt install libseccomp2 (Debian, Ubuntu) or dnf install libseccomp")  # fmt: skip
    set_no_new_privs()
    try:
        load_filter(_RETURN_ALLOW)
    except OSError as problem:
        return warning("seccomp", f"the kernel takes no filter: {problem.strerror}",
                       "containers run without a system call filter", "",
                       "a kernel with CONFIG_SECCOMP_FILTER=y")  # fmt: skip
    return ok("seccomp", "a system call filter can be loaded")


def landlock_here(_: Scene) -> ProbeResult:
    """Whether the kernel has Landlock, and which generation."""
    try:
        abi = landlock.abi_version()
        if scoping.available():
            return ok("Landlock", f"ABI {abi}: scopes what --network host and --pid host share")
        return not_available("Landlock", f"ABI {abi} has no scopes yet (Linux 6.12)",
                             "with --network host and --pid host the host's abstract sockets and your"
                             " own processes are in reach of a container")  # fmt: skip
    except OSError:
        return not_available("Landlock", "the kernel has no Landlock, or it is not switched on",
                             "one layer of protection less", "",
                             "add landlock to the lsm= list on the kernel's command line")  # fmt: skip


def labels(_: Scene) -> list[ProbeResult]:
    """AppArmor and SELinux: asked for with --security-opt, an error where they are not."""
    found = []
    for wall in (confinement.apparmor(""), confinement.selinux([])):
        name = {"apparmor": "AppArmor", "selinux": "SELinux"}[wall["Name"]]
        if wall["State"] == confinement.NOT_AVAILABLE:
            found.append(not_available(name, wall["Why"], "labels asked for with --security-opt are an error"))
        else:
            found.append(ok(name, "labels can be asked for with --security-opt"))
    return found


def cgroups(_: Scene) -> ProbeResult:
    """Which controllers a container can be given, by the same search that a start makes."""
    flags = {"memory": "--memory", "cpu": "--cpus"}
    nothing = f"{' and '.join(flags.values())} cannot be enforced"
    known = subtrees.facts()
    if known.mount != subtrees.UNIFIED:
        return not_available("cgroups", "this host uses cgroup v1", nothing, "",
                             "boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line")  # fmt: skip
    try:
        found = subtrees.search(known)
    except NotSupported as unusable:
        return warning("cgroups", unusable.message, nothing, unusable.hint or "")
    given = frozenset[str]().union(*(subtree.controllers for subtree in found.subtrees))
    ways = ", ".join(_WAYS[subtree.how] for subtree in found.subtrees)
    missing = [flag for name, flag in flags.items() if name not in given]
    if not missing and "pids" in given:
        others = ", ".join(sorted({"cpuset", "io"} - given))
        return ok("cgroups", f"{', '.join(sorted(given))} through {ways}{others and f'; not {others}'}")
    effect = f"{' and '.join(missing)} cannot be enforced" if missing else "--pids-limit counts by RLIMIT_NPROC"
    what = f"controllers for containers: {', '.join(sorted(given)) or 'none'}{ways and f' (through {ways})'}"
    if found.batch or not any(subtree.how == "systemd" for subtree in found.subtrees):
        return not_available("cgroups", what, effect, found.hint)
    admin = (
        f"sudo mkdir -p {os.path.dirname(_DELEGATE_FILE)} && sudo tee {_DELEGATE_FILE} <<'EOF' && "
        f"sudo systemctl daemon-reload\n{DELEGATION}\nEOF\nthen log in again"
    )
    return not_available("cgroups", what, effect, "", admin)


def runtime_directory(_: Scene) -> ProbeResult:
    """$XDG_RUNTIME_DIR is verified; without a good one a private directory elsewhere serves."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    fallback = f"/tmp/rootless-{paths.host_uid()}"
    existed = os.path.isdir(fallback)
    used = paths.runtime_dir()
    if used == fallback and not existed:
        os.rmdir(fallback)
    if not given:
        return ok("runtime dir", f"XDG_RUNTIME_DIR is not set: {used} is used")
    if used != os.path.join(given, "rootless"):
        return warning("runtime dir", f"XDG_RUNTIME_DIR={given} is missing, not yours or open to others",
                       f"{used} is used instead", "unset XDG_RUNTIME_DIR, or log in by ssh or "
                       f"`machinectl shell {user_name(paths.host_uid()) or ''}@` rather than su")  # fmt: skip
    return ok("runtime dir", used)


def lingering(_: Scene) -> ProbeResult:
    """Whether containers outlive the last logout."""
    if not os.path.isdir("/run/systemd/system"):
        return ok("logout", "no systemd: nothing ends containers at logout")
    user = user_name(paths.host_uid()) or str(paths.host_uid())
    if os.path.exists(f"/var/lib/systemd/linger/{user}"):
        return ok("logout", "lingering is on: containers outlive the login")
    kills = _kill_user_processes()
    effect = (
        "at the last logout containers are killed"
        if kills
        else ("at the last logout XDG_RUNTIME_DIR goes, and services of the login end")
    )
    return warning("logout", f"lingering is off for {user}" + (" and KillUserProcesses=yes" if kills else ""),
                   effect, "loginctl enable-linger", f"sudo loginctl enable-linger {user}")  # fmt: skip


def _kill_user_processes() -> bool:
    """logind.conf(5): the last assignment wins, drop-ins after the main file."""
    files = []
    for base in ("/usr/lib/systemd", "/run/systemd", "/etc/systemd"):
        files.append(f"{base}/logind.conf")
        try:
            files += sorted(f"{base}/logind.conf.d/{name}" for name in os.listdir(f"{base}/logind.conf.d"))
        except OSError:
            continue
    answer = False
    for path in files:
        for line in (read_fact(path) or "").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "KillUserProcesses":
                answer = value.strip().lower() in ("yes", "true", "1", "on")
    return answer


def limits(_: Scene) -> list[ProbeResult]:
    """Kernel limits that many containers run into."""
    found = []
    instances = _number("/proc/sys/fs/inotify/max_user_instances")
    if 0 <= instances < 128:
        found.append(warning("limits", f"fs.inotify.max_user_instances is {instances}",
                             "programs that watch files fail in many containers at once", "",
                             sysctl_fix("fs.inotify.max_user_instances=512")))  # fmt: skip
    keys = _number("/proc/sys/kernel/keys/maxkeys")
    if 0 <= keys < 200:
        found.append(warning("limits", f"kernel.keys.maxkeys is {keys}", f"at most {keys} containers at once", "",
                             sysctl_fix("kernel.keys.maxkeys=2000")))  # fmt: skip
    return found or [ok("limits", f"{instances} inotify instances, {keys} keys")]


def _number(path: str) -> int:
    try:
        return int(read_fact(path) or "-1")
    except ValueError:
        return -1


PROBES = (
    Probe("helpers", helpers, essential=True),
    Probe("seccomp", seccomp),
    Probe("Landlock", landlock_here),
    Probe("labels", labels),
    Probe("cgroups", cgroups),
    Probe("runtime dir", runtime_directory),
    Probe("logout", lingering),
    Probe("limits", limits),
    Probe("kernel", kernel),
)
