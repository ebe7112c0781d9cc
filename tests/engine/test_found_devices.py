"""Graphics processors that are found without a specification, on a machine made up for it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from rootless.engine.cdi import libraries, nvidia, render_nodes, specs
from rootless.engine.cdi.device import Device
from rootless.engine.cdi.requests import DeviceRequest, names
from rootless.errors import NotFound
from tests.harness import graphics
from tests.harness.graphics import DRIVER, FIRST, SECOND


def nodes(root: Path, device: Device) -> list[str]:
    """The nodes that are the device's own; each of them is the host's of that name."""
    found = []
    for node in device.edits["deviceNodes"]:
        assert node["hostPath"] == str(root) + node["path"]
        found.append(node["path"])
    return found


def cached(root: Path, directory: str) -> None:
    """The loader's cache of the tree: of one directory, as ldconfig(8) writes it."""
    (root / "etc").mkdir(exist_ok=True)
    subprocess.run(["/sbin/ldconfig", "-X", "-C", root / "etc/ld.so.cache", "-f", "/dev/null", directory], check=True)


def test_nvidia(tmp_path: Path) -> None:
    graphics.nvidia(tmp_path)
    found = nvidia.devices(str(tmp_path))
    assert {name: nodes(tmp_path, device) for name, device in found.items()} == {
        "nvidia.com/gpu=0": ["/dev/nvidia1", "/dev/dri/card1", "/dev/dri/renderD128"],
        f"nvidia.com/gpu={FIRST}": ["/dev/nvidia1", "/dev/dri/card1", "/dev/dri/renderD128"],
        "nvidia.com/gpu=1": ["/dev/nvidia0"], f"nvidia.com/gpu={SECOND}": ["/dev/nvidia0"],
        "nvidia.com/gpu=all": ["/dev/nvidia1", "/dev/dri/card1", "/dev/dri/renderD128", "/dev/nvidia0"],
    }  # fmt: skip
    common = found["nvidia.com/gpu=0"].common
    assert [node["path"] for node in common["deviceNodes"]] == ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"]
    assert common["env"] == ["NVIDIA_VISIBLE_DEVICES=void"]
    assert {device.file for device in found.values()} == {f"NVIDIA's driver {DRIVER}"}


def test_the_node_for_cuda_is_wanted_also_where_it_is_missing(tmp_path: Path) -> None:
    """Else a program would find no device, and nobody would know why."""
    graphics.nvidia(tmp_path)
    for name in ("nvidia-uvm", "nvidia-uvm-tools"):
        (tmp_path / "dev" / name).unlink()
    common = nvidia.devices(str(tmp_path))["nvidia.com/gpu=0"].common
    assert [node["path"] for node in common["deviceNodes"]] == ["/dev/nvidiactl", nvidia.UVM]


def test_a_divided_processor(tmp_path: Path) -> None:
    graphics.nvidia(tmp_path, divided=True)
    found = nvidia.devices(str(tmp_path))
    caps = "/dev/nvidia-caps/nvidia-cap"
    parts = [["/dev/nvidia0", f"{caps}{gpu}", f"{caps}{compute}"] for gpu, compute in ((3, 4), (12, 13))]
    assert [nodes(tmp_path, found[f"nvidia.com/gpu=1:{part}"]) for part in (0, 1)] == parts
    assert nodes(tmp_path, found["nvidia.com/gpu=1"]) == parts[0] + parts[1][1:]
    assert "nvidia.com/gpu=0:0" not in found


def test_what_the_driver_brings(tmp_path: Path) -> None:
    graphics.nvidia(tmp_path)
    for path in ("usr/bin/nvidia-smi", "usr/bin/nvidia-settings",
                 "run/nvidia-persistenced/socket", "usr/share/vulkan/icd.d/nvidia_icd.json", "tmp/nvidia-mps/control"):  # fmt: skip
        graphics.write(tmp_path / path)
        (tmp_path / path).chmod(0o755)
    mounts = nvidia.devices(str(tmp_path))["nvidia.com/gpu=all"].common["mounts"]
    assert {mount["containerPath"]: mount["hostPath"].removeprefix(str(tmp_path)) for mount in mounts} == {
        "/usr/bin/nvidia-smi": "/usr/bin/nvidia-smi",
        "/run/nvidia-persistenced/socket": "/run/nvidia-persistenced/socket", "/tmp/nvidia-mps": "/tmp/nvidia-mps",
        "/usr/share/vulkan/icd.d/nvidia_icd.json": "/usr/share/vulkan/icd.d/nvidia_icd.json",
    }  # fmt: skip
    assert all("ro" in mount["options"] for mount in mounts)


def test_only_the_vendors_libraries(tmp_path: Path) -> None:
    """libGL and its like are built against the libc of whoever has them."""
    graphics.nvidia(tmp_path)
    graphics.libraries(tmp_path / "drivers")
    cached(tmp_path, str(tmp_path / "drivers"))
    # The paths in the cache are the machine's.
    (tmp_path / str(tmp_path)[1:]).parent.mkdir(parents=True)
    (tmp_path / str(tmp_path)[1:]).symlink_to(tmp_path)
    found = {name: Path(path).name for path, name in nvidia.devices(str(tmp_path))["nvidia.com/gpu=0"].libraries}
    assert found == {
        "libcuda.so": f"libcuda.so.{DRIVER}", "libcuda.so.1": f"libcuda.so.{DRIVER}", "libnvidia-ml.so.1": f"libnvidia-ml.so.{DRIVER}",
        "libGLX_nvidia.so.0": f"libGLX_nvidia.so.{DRIVER}", "libGLX_indirect.so.0": f"libGLX_nvidia.so.{DRIVER}",
        f"libnvidia-glcore.so.{DRIVER}": f"libnvidia-glcore.so.{DRIVER}", "libnvidia-egl-gbm.so.1": "libnvidia-egl-gbm.so.1.1.0",
        "libnvidia-allocator.so.1": f"libnvidia-allocator.so.{DRIVER}", "gbm/nvidia-drm_gbm.so": f"libnvidia-allocator.so.{DRIVER}",
    }  # fmt: skip


def test_the_glibc_that_a_library_wants(tmp_path: Path) -> None:
    graphics.libraries(tmp_path / "drivers")
    wanted = libraries.wanted_glibc(str(tmp_path / f"drivers/libcuda.so.{DRIVER}"))
    assert (2, 0) < wanted < (3, 0)
    (tmp_path / "none").write_bytes(b"\0GLIBC_PRIVATE\0GLIBCXX_3.4\0")
    assert libraries.wanted_glibc(str(tmp_path / "none")) == (0, 0)


def test_amd(tmp_path: Path) -> None:
    graphics.amd(tmp_path)
    found = render_nodes.devices(str(tmp_path))
    assert {name: nodes(tmp_path, device) for name, device in found.items()} == {
        "amd.com/gpu=0": ["/dev/dri/card1", "/dev/dri/renderD129"], "amd.com/gpu=1": ["/dev/dri/card0", "/dev/dri/renderD128"],
        "amd.com/gpu=all": ["/dev/dri/card1", "/dev/dri/renderD129", "/dev/dri/card0", "/dev/dri/renderD128"],
    }  # fmt: skip
    assert [node["path"] for node in found["amd.com/gpu=0"].common["deviceNodes"]] == ["/dev/kfd"]


def test_a_machine_with_none(tmp_path: Path) -> None:
    assert specs.machine(str(tmp_path)) == {}
    graphics.write(tmp_path / "proc/driver/nvidia/version", "NVRM version: something else\n")
    assert specs.machine(str(tmp_path)) == {}


def test_a_driver_that_shows_itself_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`info` and other vendors' devices do not fail with it; `doctor` says what is wrong."""
    graphics.nvidia(tmp_path)
    strange = tmp_path / "proc/driver/nvidia/gpus/0000:17:00.0/information"
    strange.unlink()
    strange.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = nvidia.devices
    monkeypatch.setattr(nvidia, "devices", lambda root: found(str(tmp_path)))
    assert specs.read() == specs.Registry({}, {str(strange): "cannot be read: Is a directory"})


@pytest.mark.parametrize(
    ("asked", "chosen", "wanted"),
    [
        ("all", None, ["nvidia.com/gpu=all"]),
        ("all", "1", ["nvidia.com/gpu=1"]),
        ("all", "1,0", ["nvidia.com/gpu=1", "nvidia.com/gpu=0"]),
        ("1", "1,0", ["nvidia.com/gpu=1"]),
        ("all", f"{SECOND},{FIRST[:12]}", [f"nvidia.com/gpu={SECOND}", f"nvidia.com/gpu={FIRST}"]),
        ("all", "0,7,1", ["nvidia.com/gpu=0"]),
        ("2", "1", None),
        ("1", "", None),
        ("all", "", None),
        ("all", "-1", None),
        ("device", "1", ["nvidia.com/gpu=0"]),
    ],
)  # fmt: skip
def test_those_of_the_callers_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, chosen: str | None, wanted: list[str] | None
) -> None:
    """CUDA_VISIBLE_DEVICES, which a cluster's scheduler sets: the others are somebody else's. Who names one knows what he does."""
    graphics.nvidia(tmp_path)
    found = nvidia.devices(str(tmp_path))
    registry: Any = specs.Registry(found, {})
    monkeypatch.setattr(specs, "read", lambda: registry)
    if chosen is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    number = {"all": -1, "device": 0}.get(asked) if not asked.isdecimal() else int(asked)
    request = DeviceRequest(number=number or 0, ids=("0",) if asked == "device" else (), capabilities=("gpu",))
    if wanted is None:
        with pytest.raises(NotFound, match="CUDA_VISIBLE_DEVICES"):
            names([request])
    else:
        assert names([request]) == wanted
