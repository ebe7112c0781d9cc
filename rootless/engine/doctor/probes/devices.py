"""doctor: the graphics processors of this machine, by the names that --gpus and --device know, and what keeps one from being used."""

from __future__ import annotations

import grp
import os

from rootless.engine.cdi import nvidia, specs
from rootless.engine.cdi.device import Device
from rootless.engine.doctor.result import ProbeResult, not_available, ok, warning
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.session.ids.mapping import user_name

_NAME = "devices"
_EFFECT = "no container can use it"


def processors(_: Scene) -> list[ProbeResult]:
    """A line for each, and for each file that describes devices wrongly; none where there is neither."""
    nvidia.make_nodes()
    registry = specs.read()
    found = [warning(_NAME, f"{path}: {why}", "what it describes cannot be asked for", f"mend {path}, or remove it")
             for path, why in sorted(registry.errors.items())]  # fmt: skip
    # The UUIDs, and `all`, are other names for these.
    names = [name for name in sorted(registry.devices) if not name.endswith("=all") and "=GPU-" not in name]
    return found + [device(name, registry.devices[name]) for name in names]


def device(name: str, described: Device) -> ProbeResult:
    """Whether we may use what it brings."""
    nodes = [str(node.get("hostPath") or node.get("path")) for edits in (described.common, described.edits)
             for node in edits.get("deviceNodes") or ()]  # fmt: skip
    for node in nodes:
        try:
            about = os.stat(node)
        except OSError as problem:
            tool = "nvidia-modprobe -u -c=0" if node == nvidia.UVM else ""
            return warning(_NAME, f"{name}: {node}: {problem.strerror}", _EFFECT, tool, "" if tool else "load the device's driver")
        if not os.access(node, os.R_OK | os.W_OK):
            return not_available(_NAME, f"{name}: {node} is its group's, {_group(about.st_gid)}, and you are not in it", _EFFECT, "",
                                 f"sudo usermod -aG {_group(about.st_gid)} {user_name(os.getuid())}")  # fmt: skip
    if name.startswith(nvidia.KIND) and described.file.startswith("NVIDIA") and not described.libraries:
        return warning(_NAME, f"{name}: no library of {described.file} is known to ldconfig", "CUDA finds no device",
                       "", "install the driver's libraries (libcuda.so.1) in the version of the module")  # fmt: skip
    return ok(_NAME, f"{name}: {', '.join(os.path.basename(node) for node in nodes)}; by {described.file}")


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


PROBES = (Probe(_NAME, processors),)
