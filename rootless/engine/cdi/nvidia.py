"""What NVIDIA's driver brings into a container, found on the machine at each start: a written specification is wrong after the next
update of the driver, and whoever shares the machine has no tool to write one.

It is what `nvidia-ctk cdi generate` writes, less its hooks, which are root's: what they do, links and the loader's cache, is done by
the names that the libraries are given (libraries.py). Of the libraries only the vendor's, that carry the driver's version: libGL and
its like (glvnd) are the image's, built against its libc.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from typing import Any

from rootless.engine.cdi import libraries
from rootless.engine.cdi.device import Device

KIND = "nvidia.com/gpu"
UVM = "/dev/nvidia-uvm"
"""Made on the first use of CUDA by nvidia-modprobe(1), which is set-user-id root: never from within a container."""

FIRST = ("libcuda.so.1", "libnvidia-ml.so.1")
"""What programs load; the others are loaded by these, and were built with them."""

_CONTROL = ("/dev/nvidiactl", UVM, "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
_TOOLS = ("nvidia-smi", "nvidia-debugdump", "nvidia-persistenced", "nvidia-cuda-mps-control", "nvidia-cuda-mps-server", "nvidia-imex")
_FILES = (
    "/usr/share/glvnd/egl_vendor.d/10_nvidia.json", "/usr/share/egl/egl_external_platform.d/15_nvidia_gbm.json",
    "/usr/share/egl/egl_external_platform.d/10_nvidia_wayland.json", "/etc/vulkan/icd.d/nvidia_icd.json",
    "/usr/share/vulkan/icd.d/nvidia_icd.json", "/etc/vulkan/implicit_layer.d/nvidia_layers.json",
    "/usr/share/vulkan/implicit_layer.d/nvidia_layers.json", "/usr/share/nvidia/nvoptix.bin",
)  # fmt: skip
_SOCKETS = ("/run/nvidia-persistenced/socket", "/run/nvidia-fabricmanager/socket")
_MPS = "/tmp/nvidia-mps"
_OTHERS = re.compile(r"libnvidia-(egl-(gbm|wayland|wayland2|xcb|xlib)|nvvm70|api)\.so\.\d+")
"""Libraries of the driver with versions of their own."""
# What programs load by other names than the libraries have.
_ALSO = {
    "libcuda.so.1": ("libcuda.so",), "libnvidia-opticalflow.so.1": ("libnvidia-opticalflow.so",),
    "libnvidia-allocator.so.1": ("gbm/nvidia-drm_gbm.so",), "libGLX_nvidia.so.0": ("libGLX_indirect.so.0",),
}  # fmt: skip
_READ_ONLY = ["ro", "nosuid", "nodev", "rbind", "rprivate"]
_MODPROBE_S = 20


def version(root: str = "") -> str:
    """The driver's version, of the kernel's module; "" where none is loaded. `root`: of another tree than the machine's own."""
    try:
        with open(f"{root}/proc/driver/nvidia/version", encoding="ascii", errors="replace") as file:
            found = re.search(r"^NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)\s", file.read(), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def make_nodes() -> None:
    """Have the node for CUDA made, where it is missing and NVIDIA's tool is there. On the host's side: in a user namespace a
    set-user-id program has no rights, and then it does nothing."""
    tool = shutil.which("nvidia-modprobe", path="/usr/bin:/usr/sbin:/bin:/sbin")
    if tool is None or os.path.exists(UVM) or not version():
        return
    quiet = subprocess.DEVNULL
    try:
        subprocess.run([tool, "-u", "-c=0"], stdin=quiet, stdout=quiet, stderr=quiet, timeout=_MODPROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        pass  # the node is still missing, and that is said where it is needed


def devices(root: str = "") -> dict[str, Device]:
    """The devices by name: `nvidia.com/gpu=` with 0, 1, ..., the UUIDs, `0:0` for the parts of a divided one (MIG), and all."""
    driver = version(root)
    processors = _processors(root) if driver else []
    if not processors:
        return {}
    common = _common(root, driver)
    wanted = _libraries(root, driver)
    found: dict[str, dict[str, Any]] = {}
    for index, (minor, uuid, bus) in enumerate(processors):
        whole = _nodes(root, [f"/dev/nvidia{minor}", *_drm(root, bus)])
        parts = _parts(root, minor)
        for number, caps in enumerate(parts):
            found[f"{index}:{number}"] = _nodes(root, [f"/dev/nvidia{minor}", *caps])
        if parts:
            whole = _joined([found[f"{index}:{number}"] for number in range(len(parts))])
        found[str(index)] = whole
        if uuid:
            found[uuid] = whole
    found["all"] = _joined([found[str(index)] for index in range(len(processors))])
    where = f"NVIDIA's driver {driver}"
    return {f"{KIND}={name}": Device(where, edits, common, wanted) for name, edits in found.items()}


def _processors(root: str) -> list[tuple[int, str, str]]:
    """Minor number, UUID and PCI address of each whose node is there, in the order of nvidia-smi: by address."""
    found = []
    for path in sorted(glob.glob(f"{glob.escape(root)}/proc/driver/nvidia/gpus/*/information")):
        with open(path, encoding="utf-8", errors="replace") as file:
            facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in file)}
        minor = facts.get("Device Minor", "")
        if minor.isdecimal() and os.path.exists(f"{root}/dev/nvidia{minor}"):
            uuid = facts.get("GPU UUID", "")
            known = re.fullmatch(r"GPU-[0-9a-f-]+", uuid)
            found.append((int(minor), uuid if known else "", os.path.basename(os.path.dirname(path))))
    if found:
        return found
    # In a container that was given some: its /proc may have no list of them.
    minors = (re.fullmatch(r"nvidia(\d+)", name) for name in os.listdir(f"{root}/dev"))
    return [(minor, "", "") for minor in sorted(int(match[1]) for match in minors if match)]


def _drm(root: str, bus: str) -> list[str]:
    """The nodes for drawing of the processor at a PCI address."""
    if not bus:
        return []
    names = (os.path.basename(path) for path in sorted(glob.glob(f"{glob.escape(root)}/sys/bus/pci/devices/{bus}/drm/*")))
    return [path for name in names if os.path.exists(root + (path := f"/dev/dri/{name}"))]


def _parts(root: str, minor: int) -> list[list[str]]:
    """Of each part that a processor is divided into, what opens it: nodes of its GPU instance and of its compute instance."""
    top = f"{root}/proc/driver/nvidia/capabilities/gpu{minor}/mig"
    found = []
    for instance in _numbered(top, "gi"):
        for compute in _numbered(f"{top}/{instance}", "ci"):
            found.append([_capability(f"{top}/{instance}/access"), _capability(f"{top}/{instance}/{compute}/access")])
    return found


def _numbered(directory: str, prefix: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return sorted((name for name in names if re.fullmatch(prefix + r"\d+", name)), key=lambda name: int(name[len(prefix) :]))


def _capability(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        found = re.search(r"DeviceFileMinor:\s*(\d+)", file.read())
    return f"/dev/nvidia-caps/nvidia-cap{found[1] if found else '?'}"


def _common(root: str, driver: str) -> dict[str, Any]:
    there = [path for path in _CONTROL[1:] if path == UVM or os.path.exists(root + path)]
    paths = [path for path in _FILES if os.path.exists(root + path)]
    for name in _TOOLS:
        if program := shutil.which(name, path=f"{root}/usr/bin:{root}/usr/sbin"):
            paths.append(program.removeprefix(root))
    mounts = [_mount(root, path) for path in paths]
    mounts += [_mount(root, path) for path in _SOCKETS if os.path.exists(root + path)]
    mounts += [_mount(root, _MPS)] if _own(root + _MPS) else []
    # Or NVIDIA's own hook, where an administrator has one for all containers, would do it again.
    return _nodes(root, [_CONTROL[0], *there]) | {"mounts": mounts, "env": ["NVIDIA_VISIBLE_DEVICES=void"]}


def _mount(root: str, path: str) -> dict[str, Any]:
    return {"hostPath": os.path.realpath(root + path), "containerPath": path, "options": _READ_ONLY}


def _own(path: str) -> bool:
    """Whether it is the user's. Below /tmp anybody may have made one, and whoever answers there sees what is computed; in a session
    root cannot be told from others, so what is root's is left to `-v`."""
    try:
        return os.lstat(path).st_uid == os.geteuid()
    except OSError:
        return False


def _nodes(root: str, paths: list[str]) -> dict[str, Any]:
    return {"deviceNodes": [{"path": path, "hostPath": root + path} for path in paths]}


def _joined(all_edits: list[dict[str, Any]]) -> dict[str, Any]:
    nodes = {node["path"]: node for edits in all_edits for node in edits["deviceNodes"]}
    return {"deviceNodes": list(nodes.values())}


def _libraries(root: str, driver: str) -> tuple[tuple[str, str], ...]:
    found = {}
    for name, path in libraries.cached(root).items():
        if path.endswith(f".so.{driver}") or _OTHERS.fullmatch(name):
            for called in (name, *_ALSO.get(name, ())):
                found[called] = path
    return tuple((path, name) for name, path in sorted(found.items()))
