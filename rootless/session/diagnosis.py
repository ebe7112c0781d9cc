"""Why this host gives no session, or not a full one, and what the user or the administrator can do.

Probes read facts (and try things in a forked child); they never look at version numbers. The same
findings make the hints of errors and the lines of `rootless doctor`. `proc`, `etc` and `sys`
can be pointed at other directories.
"""

from __future__ import annotations

import errno
import os
import sys

from rootless import paths
from rootless.finding import Finding
from rootless.linux import namespace, process


def read_fact(path: str) -> str | None:
    """A small file's text without its last newline; None where it cannot be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read(65536).rstrip("\n")
    except OSError:
        return None


def try_user_namespace() -> OSError | None:
    """Make a user namespace and use its rights, in a forked child; the error if that fails."""
    report, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            namespace.unshare(namespace.CLONE_NEWUSER)
            namespace.unshare(namespace.CLONE_NEWUTS)
        except OSError as error:
            code = error.errno or errno.EPERM
        finally:
            os.write(end, code.to_bytes(4, "little"))
            os._exit(0)
    os.close(end)
    try:
        code = int.from_bytes(os.read(report, 4), "little")
    finally:
        os.close(report)
        os.waitpid(pid, 0)
    return OSError(code, os.strerror(code)) if code else None


def user_namespaces(*, error: OSError | None = None, proc: str = "/proc") -> list[Finding]:
    """Why user namespaces do not work here; empty where they do.

    Without `error`, which unshare(2) gave, it is tried. Several findings may be true at once.
    """
    if error is None and proc == "/proc":
        error = try_user_namespace()
        if error is None:
            return []
    findings = [
        finding
        for finding in (
            _not_built_in(proc),
            _limit(proc),
            _sysctl_clone(proc),
            _apparmor(proc),
            _seccomp(proc),
        )
        if finding is not None
    ]
    if not findings and error is not None:
        findings.append(_unexplained(error))
    return findings


_EFFECT = "no container can run"


def _not_built_in(proc: str) -> Finding | None:
    if os.path.exists(f"{proc}/self/ns/user"):
        return None
    return Finding(
        "the kernel has no user namespaces (CONFIG_USER_NS)", _EFFECT, "",
        "a kernel with CONFIG_USER_NS=y",
    )  # fmt: skip


def _limit(proc: str) -> Finding | None:
    value = read_fact(f"{proc}/sys/user/max_user_namespaces")
    if value is None or not value.isdecimal() or int(value) > 2:
        return None
    return Finding(
        f"user.max_user_namespaces is {value}",
        _EFFECT,
        "",
        "echo user.max_user_namespaces=15000 | sudo tee -a /etc/sysctl.d/60-rootless.conf && sudo sysctl --system",
    )


def _sysctl_clone(proc: str) -> Finding | None:
    if read_fact(f"{proc}/sys/kernel/unprivileged_userns_clone") != "0":
        return None
    return Finding(
        "kernel.unprivileged_userns_clone is 0",
        _EFFECT,
        "",
        "echo kernel.unprivileged_userns_clone=1 | sudo tee -a /etc/sysctl.d/60-rootless.conf && "
        "sudo sysctl --system",
    )


def apparmor_profile(program: str | None = None) -> tuple[str, str]:
    """(file, text) of the AppArmor profile that gives user namespaces to our commands, and so to what they execute; to our
    interpreter where there is no launcher of ours (paths.py)."""
    launcher = paths.launcher() if program is None else None
    path = os.path.realpath(program or launcher or sys.executable)
    name = path.strip("/").replace("/", ".")
    if os.path.basename(path) == "rootless":
        path += "{,-oci}"
    text = (
        "abi <abi/4.0>,\n"
        "include <tunables/global>\n"
        "\n"
        f'profile rootless "{path}" flags=(unconfined) {{\n'
        "  userns,\n"
        "  include if exists <local/rootless>\n"
        "}\n"
    )
    return f"/etc/apparmor.d/{name}", text


def _apparmor(proc: str) -> Finding | None:
    if read_fact(f"{proc}/sys/kernel/apparmor_restrict_unprivileged_userns") in (None, "0"):
        return None
    label = read_fact(f"{proc}/self/attr/current") or ""
    if label.startswith("rootless"):
        return None
    file, text = apparmor_profile()
    launcher = paths.launcher()
    return Finding(
        "kernel.apparmor_restrict_unprivileged_userns is 1 and no AppArmor profile allows "
        f"user namespaces to {os.path.realpath(launcher or sys.executable)}",
        _EFFECT,
        "" if launcher else "to keep the permission to rootless alone, install it with pip into an environment (venv): "
        "its command is a program then that a profile can name",
        f"sudo tee {file} <<'EOF' && sudo apparmor_parser -r {file}\n{text}EOF",
    )


def _seccomp(proc: str) -> Finding | None:
    if not sandboxed_by_seccomp(proc=proc):
        return None
    where = "this container" if in_container() else "this session"
    return Finding(
        f"{where} runs under a seccomp filter, as Docker's default one, that forbids user namespaces",
        _EFFECT,
        "run it outside of the container or sandbox",
        "start the outer container with --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined --security-opt systempaths=unconfined "
        "--device /dev/fuse --device /dev/net/tun",
    )


def sandboxed_by_seccomp(*, proc: str = "/proc") -> bool:
    """Whether a seccomp filter is in force on this process (it need not forbid what we need)."""
    status = read_fact(f"{proc}/self/status") or ""
    return any(line.split() == ["Seccomp:", "2"] for line in status.splitlines())


def in_container() -> bool:
    """Whether other engines' marks say that this is a container of theirs."""
    return any(os.path.exists(mark) for mark in ("/.dockerenv", "/run/.containerenv"))


def _unexplained(error: OSError) -> Finding:
    by_errno = {
        errno.ENOSPC: "a limit of namespaces is reached (/proc/sys/user/max_user_namespaces, also that "
        "of the container around us)",
        errno.EUSERS: "user namespaces are nested 32 deep",
        errno.EPERM: "a security module (SELinux, a chroot, a sandbox) forbids user namespaces",
        errno.EACCES: "a security module (AppArmor, SELinux) forbids user namespaces",
    }
    return Finding(
        by_errno.get(error.errno or 0, f"user namespaces fail: {error.strerror}"),
        _EFFECT,
        "end programs that hold many namespaces" if error.errno == errno.ENOSPC else "",
        "`sudo dmesg | tail` and `sudo ausearch -m avc -ts recent` show what denied it",
    )


def user_namespace_hint(error: OSError) -> str:
    """The hint for an error of unshare(CLONE_NEWUSER), or of using the namespace."""
    return "\n".join(f"{finding.what}\n{finding.hint}" for finding in user_namespaces(error=error))


def map_write_hint() -> str:
    """The hint for a map that the kernel did not take from ourselves."""
    from rootless.linux.capability import get_capabilities

    if os.getuid() != 0:
        return user_namespace_hint(OSError(errno.EPERM, os.strerror(errno.EPERM)))
    needed = {"CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP"}
    missing = sorted(needed - get_capabilities().effective)
    if not missing:
        return "run as an ordinary user of this container: useradd -m NAME, then su - NAME"
    words = " ".join(f"--cap-add {name.removeprefix('CAP_')}" for name in missing)
    return f"this container lacks {', '.join(missing)}: start it with {words}"


def no_new_privileges() -> Finding | None:
    """Whether setuid programs have lost their rights for this process."""
    if not process.no_new_privs():
        return None
    return Finding(
        "this process runs with no_new_privs, under which newuidmap gets no rights",
        "containers have one user id only",
        "start the first rootless command of a login elsewhere: later ones join its session",
        "drop NoNewPrivileges=yes (systemd) or --security-opt no-new-privileges (Docker) here",
    )
