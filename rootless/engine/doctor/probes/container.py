"""doctor: a container, launched as `run` launches one, looked at, and ended."""

from __future__ import annotations

import os
import select
import shutil
import socket
import time
from typing import Any

from rootless import paths
from rootless.engine.doctor.result import ProbeResult, error, ok
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.engine.lifecycle import spec
from rootless.engine.lifecycle.create import make_record
from rootless.engine.lifecycle.network import write_etc
from rootless.engine.lifecycle.request import Request
from rootless.engine.lifecycle.start import host_facts
from rootless.engine.state.config import ContainerConfig
from rootless.errors import RootlessError
from rootless.linux.namespace import identity
from rootless.runtime.launch.launch import LaunchedContainer, LaunchRequest, MonitorOptions, Stdio, launch
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage.remove_tree import remove_tree

# Ours and the OCI's words for those that are compared with the host's.
COMPARED = {"user": "user", "net": "network"}
NAMESPACES = ("user", "mount", "pid", "network", "ipc", "uts", "cgroup")
# The init program, with a command that is not there, ends with the status of a shell.
_COMMAND = ["/init", "--", "/not/there"]
_EXPECTED_STATUS = 127
_EXITED = 0x12
_TIMEOUT_S = 10.0


def container(scene: Scene) -> ProbeResult:
    """Our static init as the only program of a root file system of its own, beside the store."""
    program = paths.helper("init")
    place = f"{scene.store_place()}/.rootless-doctor-{os.getpid()}"
    scene.join()
    try:
        rootfs = place + "/rootfs"
        for directory in ("", "proc", "sys", "dev", "tmp"):
            os.makedirs(f"{rootfs}/{directory}", mode=0o755, exist_ok=True)
        shutil.copy2(program, rootfs + "/init")
        return _run(place, rootfs)
    finally:
        remove_tree(place)


def _run(place: str, rootfs: str) -> ProbeResult:
    began = time.monotonic()
    run_dir = place + "/run"
    os.mkdir(run_dir, 0o700)
    record = _record(rootfs)
    write_etc(record, place)
    launched = launch(
        LaunchRequest(
            spec=spec.build(record, host_facts(record, etc=place, volumes=place, shared={})),
            root=Rootfs("directory", (), "", "", rootfs, False),
            container_dir=place,
            run_dir=run_dir,
            stdio=Stdio(),
            supervision=MonitorOptions(no_sync=True),
            network=_look,
            record=lambda launched: None,
            client=True,
        )
    )
    shared = [word for kind, word in COMPARED.items() if launched.network.get(kind) != "own"]
    if shared:
        return error("container", f"a container shares namespaces with the host: {', '.join(shared)}",
                     "nothing keeps it apart from the host")  # fmt: skip
    status = _exit_status(launched)
    took_ms = (time.monotonic() - began) * 1000
    if status != _EXPECTED_STATUS:
        return error("container", f"a container's command ended with status {status}, not {_EXPECTED_STATUS}",
                     "no container can run")  # fmt: skip
    return ok("container", f"runs in {len(NAMESPACES)} namespaces of its own ({took_ms:.0f} ms)")


def _look(pid: int, namespaces: tuple[int, int]) -> dict[str, Any]:
    """Called beside the new container `pid`: which of its namespaces are not ours."""
    return {
        kind: "shared" if identity(fd) == identity(f"/proc/self/ns/{kind}") else "own"
        for kind, fd in zip(COMPARED, namespaces, strict=True)
    }


def _exit_status(launched: LaunchedContainer) -> int:
    """What the monitor says, docs/development/architecture.md, Monitor."""
    deadline = time.monotonic() + _TIMEOUT_S
    with socket.socket(fileno=launched.attach_fd) as monitor:
        while select.select([monitor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            packet = monitor.recv(32769)
            if not packet:
                raise RootlessError("the monitor ended without sending the exit status")
            if packet[0] == _EXITED:
                return os.waitstatus_to_exitcode(int.from_bytes(packet[1:5], "little", signed=True))
    raise RootlessError(f"a container's command did not end within {_TIMEOUT_S:g} seconds")


def _record(rootfs: str) -> ContainerConfig:
    """What `create` makes of `--network none --rootfs ROOTFS`: Docker's defaults, and nothing from an image."""
    return make_record(
        Request(
            network={
                "mode": "none", "options": [], "ports": [], "exposed": [], "publish_all": False, "dns": [],
                "dns_search": [], "dns_options": [], "add_host": [],
            },
            log={"driver": "none", "max_size": 0, "max_files": 1},
            security={
                "privileged": False, "cap_add": [], "cap_drop": [], "no_new_privileges": False, "seccomp": "",
                "apparmor": "", "label": [], "unmask": [], "mask": [],
            },
            restart={"name": "no", "retries": 0},
            rootfs=rootfs,
            cmd=_COMMAND,
            hostname="doctor",
        ),
        None,
    )  # fmt: skip


PROBES = (Probe("container", container, essential=True, needs="user namespace"),)
