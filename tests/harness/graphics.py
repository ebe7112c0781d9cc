"""A machine with graphics processors, made up: what the drivers of NVIDIA and AMD show in /proc, /sys and /dev, and libraries by
their names that do nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

DRIVER = "550.54.14"
FIRST, SECOND = "GPU-0d2b1c9e-7a35-4f0e-b6c1-1f2e3d4c5b6a", "GPU-f1e2d3c4-0000-1111-2222-333344445555"

_VERSION = f"""\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {DRIVER}  Release Build  (dvs-builder@U16-I3-C13-3-4)  Thu Feb 22 01:25:25 UTC 2024
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""
# Names as libraries are loaded by, and of the files.
_LIBRARIES = {
    "libcuda.so.1": f"libcuda.so.{DRIVER}", "libnvidia-ml.so.1": f"libnvidia-ml.so.{DRIVER}",
    "libGLX_nvidia.so.0": f"libGLX_nvidia.so.{DRIVER}", f"libnvidia-glcore.so.{DRIVER}": f"libnvidia-glcore.so.{DRIVER}",
    "libnvidia-egl-gbm.so.1": "libnvidia-egl-gbm.so.1.1.0", "libnvidia-allocator.so.1": f"libnvidia-allocator.so.{DRIVER}",
    "libGL.so.1": "libGL.so.1.7.0", "libnvidia-container.so.1": "libnvidia-container.so.1.14.3",
}  # fmt: skip


def write(path: Path, text: str = "") -> None:
    """A file with the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def nvidia(root: Path, *, divided: bool = False) -> None:
    """Two of NVIDIA's, whose numbers are not in the order of their addresses; the second one divided in two (MIG)."""
    driver = root / "proc/driver/nvidia"
    write(driver / "version", _VERSION)
    for address, minor, uuid in (("0000:17:00.0", 1, FIRST), ("0000:65:00.0", 0, SECOND)):
        facts = f"Model: \t\t NVIDIA H200\nIRQ:   \t\t 120\nGPU UUID: \t {uuid}\nBus Location: \t {address}\nDevice Minor: \t {minor}\n"
        write(driver / f"gpus/{address}/information", facts)
    for node in ("nvidiactl", "nvidia0", "nvidia1", "nvidia-uvm", "nvidia-uvm-tools", "dri/card1", "dri/renderD128"):
        write(root / "dev" / node)
    for name in ("card1", "renderD128"):
        (root / "sys/bus/pci/devices/0000:17:00.0/drm" / name).mkdir(parents=True)
    if divided:
        for number, place in ((3, "gi1"), (4, "gi1/ci0"), (12, "gi2"), (13, "gi2/ci0")):
            write(driver / f"capabilities/gpu0/mig/{place}/access", f"DeviceFileMinor: {number}\nDeviceFileMode: 292\n")
            write(root / f"dev/nvidia-caps/nvidia-cap{number}")


def libraries(directory: Path) -> None:
    """The driver's and some others, for the loader: files with a symbol, the links as ldconfig(8) makes them."""
    directory.mkdir(parents=True)
    source = directory / "x.c"
    source.write_text("#include <stdio.h>\nint cuInit(unsigned flags) { puts(FILE_NAME); return 42; }\n")
    for name, file in _LIBRARIES.items():
        words = ["-shared", "-fPIC", f'-DFILE_NAME="{file}"', f"-Wl,-soname,{name}", "-o", str(directory / file), str(source)]
        subprocess.run(["gcc", *words], check=True)
        if not (directory / name).exists():
            (directory / name).symlink_to(file)
    source.unlink()


def amd(root: Path) -> None:
    """Two of AMD's, and a node of something that is no device of PCI."""
    write(root / "dev/kfd")
    for address, number in (("0000:03:00.0", 129), ("0000:43:00.0", 128)):
        device = root / "sys/devices/pci0000:00" / address
        write(device / "vendor", "0x1002\n")
        for name in (f"renderD{number}", f"card{number - 128}"):
            (device / "drm" / name).mkdir(parents=True)
            write(root / "dev/dri" / name)
        link = root / "sys/class/drm" / f"renderD{number}"
        link.mkdir(parents=True)
        (link / "device").symlink_to(device)
    virtual = root / "sys/class/drm/renderD130/device"
    virtual.mkdir(parents=True)
    write(root / "dev/dri/renderD130")
