"""What a PMIx server of Slurm's and its ranks have in common on a node's disk: directories that are in the container, too."""

from __future__ import annotations

import os
import stat

from rootless.engine.options.mount_config import Mount
from rootless.engine.options.mounts import parse_volume
from rootless.paths import host_uid
from rootless.words import UserWord

_CONFIGURATIONS = ("/etc/slurm/slurm.conf", "/run/slurm/conf/slurm.conf", "/etc/slurm-llnl/slurm.conf")
"""Slurm's own, where SLURM_CONF names none; the second is slurmd's in a cluster that has one for all."""


def mounts(present: list[Mount]) -> list[Mount]:
    """Those to be added to `present`: of the server's directory, and of the ranks' own for their sessions, which the server names to
    them, under the same paths."""
    taken = {os.path.normpath(mount["target"]) for mount in present}
    server, job, step = (os.environ.get(name, "") for name in ("PMIX_SERVER_TMPDIR", "SLURM_JOB_ID", "SLURM_STEP_ID"))
    paths = [path for path in _session_directories(job, step) if _is_ours(path)] if server else []
    if server.startswith("/") and os.path.isdir(server):  # it may be root's
        paths.append(os.path.normpath(server))
    return [parse_volume(UserWord(f"{path}:{path}")) for path in paths if path not in taken and ":" not in path]


def _session_directories(job: str, step: str) -> list[str]:
    # Slurm's mpi/pmix plugin, pmixp_info.c: its users may choose, the administrator's TmpFS otherwise.
    base = os.environ.get("SLURM_PMIX_TMPDIR") or _tmp_fs()
    names = (f"spmix_appdir_{host_uid()}_{job}.{step}", f"spmix_appdir_{job}.{step}")
    return [os.path.normpath(f"{base}/{name}") for name in names]


def _is_ours(path: str) -> bool:
    """Whether it is there, and was not put there by somebody else, who may write to /tmp as well."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    # In the session what is ours shows as root's, as we do.
    return path.startswith("/") and stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _tmp_fs() -> str:
    """TmpFS of slurm.conf(5)."""
    for path in filter(None, (os.environ.get("SLURM_CONF"), *_CONFIGURATIONS)):
        try:
            with open(path, "rb") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(b"#")[0].partition(b"=")
            if name.strip().lower() == b"tmpfs":
                host = os.uname().nodename.partition(".")[0]
                node = os.environ.get("SLURMD_NODENAME", host)
                return os.fsdecode(value.strip()).replace("%h", host).replace("%n", node)
        break
    return "/tmp"
