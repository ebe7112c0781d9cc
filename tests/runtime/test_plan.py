"""The plan and what it is made from: pure, no kernel."""

from __future__ import annotations

import pytest

from rootless.errors import InvalidInput
from rootless.linux import mount as m
from rootless.linux.namespace import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER
from rootless.runtime.mounts.bind import Bind
from rootless.runtime.mounts.masks import Mask, ReadonlyPath, ReadonlyRoot
from rootless.runtime.mounts.mount_options import parse_options
from rootless.runtime.mounts.plan import PlanFacts, build_plan
from rootless.runtime.mounts.steps import Filesystem, HostTree, Proc, Sysctl, Sysfs
from rootless.runtime.namespaces import is_mapped, read_namespaces, split_map
from rootless.runtime.process.capabilities import read_capabilities
from tests.runtime.conftest import default_spec

OWN = PlanFacts(own_pid=True, own_network=True, own_ipc=True, own_uts=True)
HOST = PlanFacts(own_pid=False, own_network=False, own_ipc=False, own_uts=False, tty_group=False)


def test_the_order_is_mounts_devices_sysctls_then_what_closes_up() -> None:
    spec = default_spec("true")
    spec["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    spec["root"] = {"readonly": True}
    kinds = [type(step).__name__ for step in build_plan(spec, OWN)]
    assert kinds[:2] == ["Proc", "Filesystem"]
    assert kinds.index("DeviceNode") < kinds.index("Sysctl") < kinds.index("ReadonlyPath") < kinds.index("Mask")
    assert kinds[-1] == "ReadonlyRoot"


def test_every_step_can_be_told() -> None:
    told = [step.describe() for step in build_plan(default_spec("true"), OWN)]
    assert "mount proc at /proc" in told
    assert "mask /proc/kcore" in told
    assert all(told)


def test_namespaces_of_the_host_are_shown_as_they_are() -> None:
    plan = build_plan(default_spec("true"), HOST)
    assert HostTree("/sys", "/sys") in plan
    assert HostTree("/proc", "/proc", True) in plan
    assert not [step for step in plan if isinstance(step, Proc | Sysfs)]
    devpts = next(step for step in plan if getattr(step, "fstype", "") == "devpts")
    assert "gid=" not in devpts.data  # type: ignore[attr-defined]


def test_what_is_shared_and_asked_for_read_only_is_that() -> None:
    mounts = [
        {"destination": "/proc", "type": "proc", "options": ["ro"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "options": ["rro"]},
    ]
    plan = build_plan({"mounts": mounts}, HOST)
    assert HostTree("/proc", "/proc") in plan
    assert HostTree("/dev/mqueue", "/dev/mqueue", optional=True) in plan


@pytest.mark.parametrize(
    "mount",
    [
        {"destination": "relative", "type": "tmpfs"},
        {"destination": "/x", "type": "ext4", "source": "/dev/sda"},
        {"destination": "/x", "type": "bind", "source": "/y", "options": ["frobnicate"]},
    ],
)
def test_mounts_that_cannot_be(mount: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        build_plan({"mounts": [mount]}, OWN)


def test_sysctls_need_the_namespace_they_belong_to() -> None:
    spec = {"linux": {"sysctl": {"net/ipv4/conf/eth0.1/forwarding": "1"}}}
    assert Sysctl("net/ipv4/conf/eth0.1/forwarding", "1") in build_plan(spec, OWN)
    with pytest.raises(InvalidInput, match="not allowed in host network namespace"):
        build_plan(spec, HOST)


def test_option_words() -> None:
    options = parse_options(["rbind", "ro", "rw", "ro", "nosuid", "rslave", "rro", "noatime"])
    assert options.bind
    assert options.recursive
    assert options.attr == m.MOUNT_ATTR_RDONLY | m.MOUNT_ATTR_NOSUID | m.MOUNT_ATTR_NOATIME
    assert options.recursive_attr == m.MOUNT_ATTR_RDONLY
    assert options.propagation == m.MS_SLAVE
    assert options.propagation_recursive
    assert parse_options(["nosuid", "mode=755", "size=1m"]).data == "mode=755,size=1m"


def test_binds_are_binds_whatever_their_type_says() -> None:
    plan = build_plan({"mounts": [{"destination": "/x", "source": "/y", "options": ["bind"]}]}, OWN)
    assert isinstance(plan[0], Bind)


def test_masks_and_read_only_paths_are_as_given() -> None:
    spec = {"linux": {"maskedPaths": ["/a"], "readonlyPaths": ["/b"]}}
    plan = build_plan(spec, OWN, root_readonly=True)
    assert [step.describe() for step in plan[-3:]] == [
        step.describe() for step in (ReadonlyPath("/b"), Mask("/a"), ReadonlyRoot())
    ]


def test_namespaces() -> None:
    found = read_namespaces(
        {"namespaces": [{"type": "mount"}, {"type": "network"}, {"type": "pid", "path": "/p"}]}
    )
    assert found.new == CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET
    assert found.join == (("pid", "/p"),)
    for wrong in ([], [{"type": "mount"}] * 2, [{"type": "mount"}, {"type": "moon"}]):
        with pytest.raises(InvalidInput):
            read_namespaces({"namespaces": wrong})


def test_maps_are_split_at_the_sessions_extents() -> None:
    extents: list[tuple[int, ...]] = [(0, 1), (1, 65536)]
    assert split_map([(0, 0, 65537)], extents) == "0 0 1\n1 1 65536\n"
    assert split_map([(0, 1, 10), (10, 0, 1)], extents) == "0 1 10\n10 0 1\n"
    assert is_mapped("0 0 1\n1 1 10\n", 5)
    assert not is_mapped("0 0 1\n", 5)


def test_capabilities_newer_than_the_kernel_are_left_out() -> None:
    process = {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_BPF"]}}
    assert read_capabilities(process, last=37).bounding == {"CAP_CHOWN"}
    with pytest.raises(InvalidInput):
        read_capabilities({"capabilities": {"bounding": ["CAP_X"]}}, last=40)


def test_mount_labels_go_where_selinux_takes_them() -> None:
    mounts = [
        {"destination": "/a", "type": "tmpfs", "options": ["size=1m"]},
        {"destination": "/b", "type": "tmpfs"},
        {"destination": "/p", "type": "devpts", "options": ["newinstance"]},
        {"destination": "/q", "type": "mqueue"},
    ]
    label = "system_u:object_r:container_file_t:s0:c1,c2"
    facts = PlanFacts(True, True, True, True, mount_label=label)
    found = [step.data for step in build_plan({"mounts": mounts}, facts)[:4] if isinstance(step, Filesystem)]
    context = f'context="{label}"'
    assert found == [f"size=1m,{context}", context, f"newinstance,{context}", ""]


def test_words_of_our_own_mean_nothing_in_anybodys_configuration() -> None:
    mount = {
        "destination": "/x",
        "type": "bind",
        "source": "/y",
        "options": ["bind"],
        "io.rootless.subpath": 3,
    }
    spec = {"mounts": [mount, {**mount, "type": "io.rootless.image"}], "io.rootless.notes": [1, "x"]}
    anybodys = PlanFacts(True, True, True, True, any_filesystem=True)
    kinds = {type(step).__name__ for step in build_plan(spec, anybodys)}
    assert kinds & {"Bind", "Note", "Part", "Image"} == {"Bind"}
