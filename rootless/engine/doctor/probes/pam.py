"""doctor: whether `rootless console --login pam` can ask for the owner's password here: unix_chkpwd(8) needs its file's rights."""

from __future__ import annotations

import os
import shutil
import stat

from rootless.engine.doctor.result import ProbeResult, not_available, ok
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene

_NAME = "PAM"
_EFFECT = "rootless console --login pam cannot ask for your password; its links work"
_SERVICES = "/etc/pam.d"
_SEARCHED = "/usr/sbin:/sbin:/usr/bin"


def obstacle() -> str:
    """Why PAM cannot be asked by this process; "" where nothing speaks against it."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        if "\nNoNewPrivs:\t1" in status.read():
            return "processes here may gain no privileges (no_new_privs), which PAM's helper needs"
    with open("/proc/self/uid_map", encoding="ascii") as ids:
        if ids.read().split() != ["0", "0", "4294967295"]:
            return "this is a user namespace, where PAM's helper has no rights"
    if not os.path.isdir(_SERVICES):
        return f"this machine has no {_SERVICES}"
    helper = shutil.which("unix_chkpwd", path=_SEARCHED)
    if helper is not None:  # without it, another module may know the account: sssd, for one
        if os.statvfs(helper).f_flag & os.ST_NOSUID:
            return f"{helper} lies on a file system that is mounted nosuid"
        if not os.stat(helper).st_mode & (stat.S_ISUID | stat.S_ISGID):
            return f"{helper} has no set-id bit"
    return ""


def passwords(_: Scene) -> ProbeResult:
    """Looked at, not tried: a try would count as a wrong password."""
    why = obstacle()
    return not_available(_NAME, why, _EFFECT) if why else ok(_NAME, "rootless console --login pam can ask for your password")


PROBES = (Probe(_NAME, passwords),)
