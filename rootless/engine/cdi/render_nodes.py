"""AMD's and Intel's graphics processors: their nodes, found on the machine at each start. Their libraries are the image's own."""

from __future__ import annotations

import glob
import os
from typing import Any

from rootless.engine.cdi.device import Device

_VENDORS = {"0x1002": "amd.com/gpu", "0x8086": "intel.com/gpu"}
_COMPUTE = "/dev/kfd"
"""What ROCm computes by, for all of AMD's together."""


def devices(root: str = "") -> dict[str, Device]:
    """The devices by name: `amd.com/gpu=` and `intel.com/gpu=` with 0, 1, ... in the order of their PCI addresses, and all.
    `root`: of another tree than the machine's own."""
    by_kind: dict[str, list[list[str]]] = {}
    places = {os.path.realpath(path + "/device") for path in glob.glob(f"{glob.escape(root)}/sys/class/drm/renderD*")}
    for place in sorted(places, key=os.path.basename):
        kind = _VENDORS.get(_vendor(place))
        names = sorted(os.path.basename(path) for path in glob.glob(f"{glob.escape(place)}/drm/*"))
        nodes = [path for name in names if os.path.exists(root + (path := f"/dev/dri/{name}"))]
        if kind and nodes:
            by_kind.setdefault(kind, []).append(nodes)
    found: dict[str, Device] = {}
    for kind, processors in by_kind.items():
        amd = kind.startswith("amd") and os.path.exists(root + _COMPUTE)
        common = _edits(root, [_COMPUTE] if amd else [])
        where = f"this machine's devices of {kind.partition('.')[0]}"
        named = {str(index): nodes for index, nodes in enumerate(processors)}
        named["all"] = [path for nodes in processors for path in nodes]
        found |= {f"{kind}={name}": Device(where, _edits(root, paths), common) for name, paths in named.items()}
    return found


def _vendor(place: str) -> str:
    try:
        with open(place + "/vendor", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""  # no device of PCI


def _edits(root: str, paths: list[str]) -> dict[str, Any]:
    return {"deviceNodes": [{"path": path, "hostPath": root + path} for path in paths]}
