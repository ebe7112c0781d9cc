"""Why the network cannot be had on this host, and what the user or the administrator can do.

The hints of errors and the findings of `doctor` are this one code. Imported only when something
failed, or by `doctor`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from rootless.errors import NotSupported, RootlessError, Unavailable
from rootless.finding import Finding

TUN = "/dev/net/tun"
RULES = "/etc/udev/rules.d/70-rootless.rules"
TUN_RULE = 'KERNEL=="tun", MODE="0666", OPTIONS+="static_node=net/tun"'
PACKAGES = (
    "apt install slirp4netns (Debian, Ubuntu), dnf install slirp4netns (Fedora, RHEL), "
    "zypper install slirp4netns, pacman -S slirp4netns or apk add slirp4netns"
)

EFFECT = "containers have no network of their own: --network host and none work"

# Lines of slirp4netns that explain nothing.
_NOISE = ("WARNING:", "sent tapfd", "received tapfd", "apifd event", "api_handler: got", "Usage:")


def tun_device(path: str = TUN) -> Finding | None:
    """What is wrong with /dev/net/tun, by opening it as slirp4netns will; None where nothing is."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return _tun(path, error.errno or 0)
    return None


def _tun(path: str, number: int) -> Finding:
    if number == errno.ENOENT:
        what = f"{path} does not exist"
        admin = f"{module_fix('tun')}    (for a container: --device {path})"
    elif number in (errno.EACCES, errno.EPERM):
        what = f"{path} may not be opened: {os.strerror(number)}"
        admin = udev_fix(TUN_RULE)
    elif number in (errno.ENODEV, errno.ENXIO):
        what = f"{path} has no driver behind it: {os.strerror(number)}"
        admin = module_fix("tun")
    else:
        what = f"{path} cannot be opened: {os.strerror(number)}"
        admin = module_fix("tun")
    return Finding(what, EFFECT, "use --network host or --network none meanwhile", admin)


def module_fix(name: str) -> str:
    """The administrator's line that loads a kernel module, now and after a reboot."""
    return f"sudo modprobe {name} && echo {name} | sudo tee -a /etc/modules-load.d/rootless.conf"


def udev_fix(rule: str) -> str:
    """The administrator's lines that open a device to all users, now and after a reboot."""
    return f"sudo tee -a {RULES} <<'EOF' && sudo udevadm control --reload && sudo udevadm trigger\n{rule}\nEOF"


def missing_program() -> Finding:
    """slirp4netns is not installed."""
    return Finding(
        "slirp4netns was not found on PATH",
        EFFECT,
        "`rootless helpers install slirp4netns` gets it into your home (Debian, Ubuntu); else use --network host or "
        "--network none meanwhile, or put a static slirp4netns into a directory on your PATH",
        PACKAGES,
    )


def missing_error() -> RootlessError:
    """The error for a container that wants a network where there is no slirp4netns."""
    return _unavailable(missing_program())


def _unavailable(finding: Finding) -> RootlessError:
    return NotSupported(f"no network: {finding.what}", finding=finding)


def timeout_error(timeout_s: float) -> RootlessError:
    """slirp4netns neither got ready nor ended."""
    return Unavailable(
        f"slirp4netns was not ready after {timeout_s:g} seconds",
        hint="the host may be overloaded: try again; `rootless doctor` tests the network by itself",
    )


def failing_protection(output: str, protection: Sequence[str]) -> str | None:
    """Which of slirp4netns's own protections kept it from starting, None where it was none of them."""
    for word in protection:
        if f"unrecognized option '--enable-{word}'" in output:
            return word
    if "sandbox" in protection and "create_sandbox failed" in output:
        return "sandbox"
    if "seccomp" in protection and ("enable_seccomp failed" in output or "seccomp_load" in output):
        return "seccomp"
    return None


def start_error(output: str) -> RootlessError:
    """The error for the stderr of a slirp4netns that ended at its start."""
    lines = [line.strip() for line in output.splitlines()]
    lines = [line for line in lines if line and not line.startswith(_NOISE)]
    if any("/dev/net/tun" in line or "TUNSETIFF" in line for line in lines):
        return _unavailable(tun_device() or _refused_tun(lines))
    unknown = next((line for line in lines if "unrecognized option" in line), None)
    if unknown:
        option = unknown.rpartition("option")[2].strip(" '")
        return NotSupported(
            f"this slirp4netns does not know {option}", hint="install slirp4netns 1.1 or newer: " + PACKAGES
        )
    telling = [line for line in lines if not line.startswith(("child failed", "do_slirp", "parent failed"))]
    reason = "; ".join(telling[:3] or lines[:3]) or "it said nothing"
    return RootlessError(
        f"slirp4netns failed: {reason}", hint="`rootless doctor` tests the network by itself"
    )


def _refused_tun(lines: Sequence[str]) -> Finding:
    """The device opens here but not there: another mount, or no tap interface in the namespace."""
    line = next(line for line in lines if "/dev/net/tun" in line or "TUNSETIFF" in line)
    return Finding(
        f"slirp4netns cannot make a tap device: {line}",
        EFFECT,
        "use --network host or --network none meanwhile",
        "modprobe tun; in a container: allow its device cgroup c 10:200 rwm",
    )
