"""`info`: the whole installation, in the shape of Docker's SystemInfo (API v1.51), and the session."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

from rootless import __version__
from rootless.cgroup import subtrees
from rootless.engine.cdi import specs
from rootless.engine.state import confinement, emulated_ids
from rootless.engine.views import host_config, user_config
from rootless.engine.views import version as versions
from rootless.engine.views.types import gotypes
from rootless.engine.views.types import system as system_types
from rootless.errors import RootlessError
from rootless.image.stores import lookup as stores
from rootless.linux.filesystem import filesystem_type
from rootless.session import session
from rootless.storage import images, places
from rootless.storage.containers import containers
from rootless.storage.drivers import choose
from rootless.storage.store import Store

_LIMITS = {  # controller -> the fields that say it is there, and Docker's words where it is not
    "memory": (("MemoryLimit", "SwapLimit"), ("memory limit", "swap limit")),
    "cpu": (("CpuCfsPeriod", "CpuCfsQuota", "CPUShares"), ("cpu cfs period", "cpu cfs quota", "cpu shares")),
    "cpuset": (("CPUSet",), ("cpuset",)),
    "pids": (("PidsLimit",), ("pids limit",)),
}


def info(store: Store) -> gotypes.Object:
    """Docker's fields with what they are here. Starts, probes and creates nothing."""
    states = _states(store)
    here = session.status()
    system = os.uname()
    how, controllers = _cgroups()
    fields: dict[str, Any] = {
        "ID": _identity(store),
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
        "Images": len(images.list_images(store)),
        "Driver": choose.remembered(store),
        "DriverStatus": [["Backing Filesystem", _filesystem(store)], *_places(store), *_stores()],
        "Plugins": {
            "Volume": ["local"],
            "Network": ["bridge", "host", "null"],
            "Log": ["journald", "json-file", "local", "none"],
        },
        **{field: name in controllers for name, (fields, _) in _LIMITS.items() for field in fields},
        "IPv4Forwarding": True,
        "SystemTime": _now(),
        "LoggingDriver": "json-file",
        "CgroupDriver": {"systemd": "systemd", "": "none"}.get(how, "cgroupfs"),
        "CgroupVersion": "2" if subtrees.mount_point() == subtrees.UNIFIED else "1",
        "KernelVersion": system.release,
        "OperatingSystem": operating_system(),
        "OSVersion": _os_release("VERSION_ID"),
        "OSType": "linux",
        "Architecture": system.machine,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"],
            "IndexConfigs": {
                "docker.io": {"Name": "docker.io", "Mirrors": [], "Secure": True, "Official": True}
            },
        },
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "DockerRootDir": store.root,
        "HttpProxy": _environment("http_proxy"),
        "HttpsProxy": _environment("https_proxy"),
        "NoProxy": _environment("no_proxy"),
        "Name": system.nodename,
        "Labels": [],
        "ServerVersion": __version__,
        "Runtimes": {host_config.RUNTIME: {"path": "rootless-oci"}},
        "DefaultRuntime": host_config.RUNTIME,
        "Swarm": {"LocalNodeState": "inactive"},
        "LiveRestoreEnabled": True,
        "InitBinary": "rootless-init",
        "SecurityOptions": _security_options(),
        "CDISpecDirs": list(specs.directories()),
        "DiscoveredDevices": [{"Source": "cdi", "ID": name} for name in sorted(specs.read().devices)],
        "Warnings": _warnings(controllers, here),
        "ClientInfo": {**versions.client(), "Debug": bool(os.environ.get("ROOTLESS_DEBUG")), "Plugins": []},
        "RuntimeDir": store.runtime,
        "UserConfig": user_config.view(),
        "Session": _session(here, store),
    }
    return gotypes.build(system_types.TYPES, "system.dockerInfo", fields)


def _session(here: session.SessionStatus, store: Store) -> dict[str, Any]:
    emulated = emulated_ids.here(single_id=here.single_id, cache_dir=store.root + "/seccomp")
    return {
        "Running": here.running,
        "HolderPid": here.holder_pid,
        "UidMap": [list(part) for part in here.uid_map],
        "GidMap": [list(part) for part in here.gid_map],
        "SingleID": here.single_id,
        "EmulatedIds": {"Level": emulated.level, "Why": emulated.why},
        "Outdated": here.outdated,
    }


def _places(store: Store) -> list[list[str]]:
    """Where the store is, where it is in two places, and why."""
    if not store.shared:
        return []
    found = places.find(store.shared, store.runtime)
    store.wait()
    kind = filesystem_type(places.nearest(store.shared))
    return [["Images", f"{store.shared} ({kind})"], ["Containers", f"{store.root}: {found.why}"]]


def _stores() -> list[list[str]]:
    """The stores of others, and what was found about each."""
    return [["Read-only store", f"{path}: {wrong or how}"] for path, wrong, how in stores.described()]


def _states(store: Store) -> list[str]:
    found = []
    for identifier in containers.ids(store):
        try:
            found.append(containers.status(store, identifier).state)
        except RootlessError:
            continue  # removed while we looked
    return found


def _identity(store: Store) -> str:
    """An id that stays: of this machine, this user and this store. Nothing of the machine's can be read from it."""
    try:
        with open("/etc/machine-id", "rb") as file:
            machine = file.read(64).strip()
    except OSError:
        machine = os.uname().nodename.encode()
    digest = hashlib.sha256(b"%s %d %s" % (machine, os.getuid(), os.fsencode(store.root))).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _filesystem(store: Store) -> str:
    for path in (store.root, os.path.dirname(store.root), "/"):
        try:
            return filesystem_type(path)
        except OSError:
            continue
    return ""


def _cgroups() -> tuple[str, frozenset[str]]:
    """Where a container's cgroup would be made (delegated, systemd, admin, or ""), and what it could limit."""
    try:
        places = subtrees.search().subtrees
    except (RootlessError, OSError):
        places = ()
    return (places[0].how, frozenset(places[0].controllers)) if places else ("", frozenset())


def _warnings(controllers: frozenset[str], here: session.SessionStatus) -> list[str]:
    found = [f"WARNING: only your own id is mapped: {here.reason}"] if here.single_id else []
    return found + [
        f"WARNING: No {word} support"
        for name, (_, words) in _LIMITS.items()
        if name not in controllers
        for word in words
    ]


def _security_options() -> list[str]:
    found = [f"name={wall}" for wall, how in (("apparmor", confinement.apparmor("")), ("selinux", confinement.selinux([])))
             if how["State"] == confinement.ON]  # fmt: skip
    return [*found, "name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"]


def _environment(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.upper()) or ""


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09}Z"


def operating_system() -> str:
    """PRETTY_NAME of os-release(5)."""
    return _os_release("PRETTY_NAME") or "Linux"


def _os_release(key: str) -> str:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    name, _, value = line.partition("=")
                    if name == key:
                        return value.strip().strip("\"'")
        except OSError:
            continue
    return ""
