"""Seccomp filters: from a profile to a program for the kernel, compiled once and kept.

A compiled filter lies in ROOT/seccomp/ under the digest of all it was made from (profile,
capabilities, architecture, kernel and libseccomp versions), so that a start reads one small
file and neither parses a profile nor loads libseccomp. The compiler is imported when needed. Hot path.
"""

from __future__ import annotations

import os
import sys

from rootless import atomic, jsontext, paths
from rootless.errors import InvalidInput
from rootless.linux.seccomp import (
    SECCOMP_FILTER_FLAG_LOG,
    SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    SECCOMP_FILTER_FLAG_TSYNC,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
)
from rootless.record import TYPE_CHECKING
from rootless.runtime.process.credentials import Filter

if TYPE_CHECKING:
    from typing import Any

# In a configuration, this stands for Docker's default profile, which is too long to be copied
# into every container's file. Another runtime would read it as "deny everything".
DEFAULT_MARK = "rootless.profile"
DEFAULT: dict[str, Any] = {"defaultAction": "SCMP_ACT_ERRNO", DEFAULT_MARK: "default"}

PROFILE_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seccomp.json")

# Part of a cache file's name: to be raised when the compiler changes what it makes.
_COMPILER = "5"
_FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": SECCOMP_FILTER_FLAG_TSYNC,
    "SECCOMP_FILTER_FLAG_LOG": SECCOMP_FILTER_FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
}
# What has to go on after the filter is loaded, before anybody can answer for it.
_NOT_NOTIFIED = ("sendmsg", "execve", "write")
_LIBRARY_DIRECTORIES = (
    f"/usr/lib/{os.uname().machine}-linux-gnu",
    f"/lib/{os.uname().machine}-linux-gnu",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/lib",
)


def cache_directory(container_dir: str) -> str:
    """ROOT/seccomp of the store that `container_dir` (ROOT/containers/ID, ROOT/build/steps/ID) is in."""
    above = os.path.dirname(os.path.abspath(container_dir))
    for place in ("/containers", "/build/steps"):
        if above.endswith(place):
            return above.removesuffix(place) + "/seccomp"
    return os.path.join(paths.data_root(), "seccomp")


def filter_of(spec: dict[str, Any], *, cache_dir: str) -> Filter:
    """The filter of spec.linux.seccomp for spec.process's capabilities; none: an empty one."""
    profile = (spec.get("linux") or {}).get("seccomp")
    if not profile:
        return Filter()
    capabilities = ((spec.get("process") or {}).get("capabilities") or {}).get("bounding") or []
    return compiled(profile, capabilities, cache_dir=cache_dir)


def compiled(profile: dict[str, Any], capabilities: list[str], *, cache_dir: str) -> Filter:
    """The program for a profile (OCI linux.seccomp, or Docker's format with includes and
    excludes), for a process whose bounding set is `capabilities`. Cached in `cache_dir`, which is
    made when missing; a cache that cannot be written is done without.

    NotSupported without libseccomp.so.2, InvalidInput for a profile that cannot be read.
    """
    flags = 0
    for name in profile.get("flags") or []:
        if name not in _FLAGS:
            raise InvalidInput(f"unknown seccomp flag {name!r}")
        flags |= _FLAGS[name]
    if _notifies(profile):
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER
        # The kernel takes only one of the two ways to answer; one thread needs no TSYNC.
        flags &= ~SECCOMP_FILTER_FLAG_TSYNC
    caps = sorted(set(capabilities))
    kills = str(profile.get("defaultAction")).startswith(("SCMP_ACT_KILL", "SCMP_ACT_TRAP"))
    default = profile.get(DEFAULT_MARK) == "default"
    if default:
        status = os.stat(PROFILE_PATH)
        source = f"default {status.st_size} {status.st_mtime_ns}"
    else:
        source = jsontext.dumps(profile, sort_keys=True)
    system = os.uname()
    key = "\0".join((_COMPILER, source, " ".join(caps), system.machine, system.release, _library_version()))
    path = os.path.join(cache_dir, _digest(key) + ".bpf")
    try:
        with open(path, "rb", buffering=0) as file:
            bpf = file.read()
        if bpf and len(bpf) % 8 == 0:
            return Filter(bpf, flags, kills)
    except OSError:
        pass
    if default:
        with open(PROFILE_PATH, "rb") as text:
            profile = jsontext.loads(text.read())
    from rootless.runtime.seccomp.compiler import compile_profile

    bpf = compile_profile(profile, frozenset(caps))
    _keep(path, bpf)
    return Filter(bpf, flags, kills)


def _notifies(profile: dict[str, Any]) -> bool:
    """Whether a supervisor answers for some system calls (seccomp_unotify(2))."""
    found = False
    if profile.get("defaultAction") == "SCMP_ACT_NOTIFY":
        raise InvalidInput("SCMP_ACT_NOTIFY cannot be the default action: the container could never begin")
    for entry in profile.get("syscalls") or []:
        if entry.get("action") == "SCMP_ACT_NOTIFY":
            found = True
            for name in _NOT_NOTIFIED:
                if name in (entry.get("names") or []):
                    raise InvalidInput(
                        f"SCMP_ACT_NOTIFY cannot be used for {name}: the container needs it to begin"
                    )
    if found and not profile.get("listenerPath"):
        raise InvalidInput("seccomp: SCMP_ACT_NOTIFY needs a listenerPath")
    return found


def _digest(text: str) -> str:
    # hashlib loads OpenSSL; the interpreter has its own copy of this one. Asked for by the name that this version has: for one that
    # cannot be found `site` is loaded (bytecode.Site), which takes longer than all the rest.
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
        else:
            from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from hashlib import sha256
    return str(sha256(text.encode()).hexdigest())


def _library_version() -> str:
    # libseccomp.so.2 is a link to libseccomp.so.2.5.4: loading it would show no more.
    for directory in _LIBRARY_DIRECTORIES:
        try:
            return os.readlink(f"{directory}/libseccomp.so.2")
        except OSError:
            continue
    from rootless.runtime.seccomp.compiler import library_version

    return library_version()


def _keep(path: str, bpf: bytes) -> None:
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        # Only ours to write, whatever the umask: every later container is confined by it.
        atomic.write_bytes(path, bpf)
    except OSError:
        pass
