"""linux.resources as files of cgroup v2, linux.cgroupsPath as systemd's words: what is pure of it."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.cgroup import systemd
from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.oci.arguments import parse
from rootless.oci.cgroup import resources
from rootless.oci.cgroup import systemd as scopes
from rootless.oci.commands import update

ALL: dict[str, Any] = {
    "memory": {"limit": 200, "swap": 300, "reservation": 100},
    "cpu": {"shares": 512, "quota": 5, "period": 1000, "cpus": "0-1", "mems": "0", "idle": 1, "burst": 7},
    "pids": {"limit": 9},
    "blockIO": {
        "weight": 10,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 1000}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}, {"major": 8, "minor": 16, "rate": 2}],
    },
    "hugepageLimits": [{"pageSize": "2MB", "limit": 4096}],
    "rdma": {"mlx5_0": {"hcaHandles": 3}},
    "unified": {"memory.high": "150", "io.max": "8:0 rbps=1\n8:16 rbps=2"},
    "devices": [{"allow": False}],
}


def test_every_word_is_a_line_of_a_file() -> None:
    found = [(one.file, one.values) for one in resources.settings(resources.asked(ALL))]
    assert found == [
        ("memory.max", ("200",)),
        ("memory.low", ("100",)),
        ("memory.swap.max", ("100",)),
        ("cpu.weight", ("20",)),
        ("cpu.max", ("5 1000",)),
        ("cpuset.cpus", ("0-1",)),
        ("cpuset.mems", ("0",)),
        ("pids.max", ("9",)),
        ("io.weight", ("default 1",)),
        ("io.max", ("8:0 rbps=1", "8:16 rbps=2")),
        ("cpu.idle", ("1",)),
        ("cpu.max.burst", ("7",)),
        ("io.weight", ("8:0 10000",)),
        ("hugetlb.2MB.max", ("4096",)),
        ("rdma.max", ("mlx5_0 hca_handle=3",)),
        ("memory.high", ("150",)),
        ("io.max", ("8:0 rbps=1", "8:16 rbps=2")),
    ]
    paths = {one.asked_as for one in resources.settings(resources.asked(ALL))}
    assert "linux.resources.memory.limit" in paths
    assert "linux.resources.unified['memory.high']" in paths


def test_what_asks_for_nothing() -> None:
    nothing = {
        "memory": {"limit": -1, "swap": 0, "disableOOMKiller": False, "kernel": -1, "swappiness": None},
        "cpu": {"shares": 1024, "quota": -1, "period": 100000, "cpus": "", "realtimeRuntime": 0},
        "pids": {"limit": 0},
        "blockIO": {"weight": 0, "weightDevice": []},
        "network": {"classID": 0, "priorities": []},
        "hugepageLimits": [],
        "unified": {},
        "devices": [{"allow": False}],
    }
    assert resources.asked(nothing) == {}


def test_update_takes_sizes_as_runc() -> None:
    words = ["update", "--memory", "64M", "--memory-reservation=1g", "--memory-swap", "-1", "--pids-limit", "5", "c"]
    memory = {"limit": 64 << 20, "reservation": 1 << 30, "swap": -1}
    assert update.given(parse(words)) == {"memory": memory, "pids": {"limit": 5}}
    for wrong in ("64X", "", "1.5"):
        with pytest.raises(InvalidInput, match=r"--memory: '.*' is not a number"):
            update.given(parse(["update", "--memory", wrong, "c"]))


def test_update_may_ask_for_no_limit() -> None:
    given = {"memory": {"limit": -1, "kernel": -1, "swappiness": None}, "pids": {"limit": 0}, "cpu": {"quota": -1}}
    found = resources.settings(resources.changes(given))
    assert [(one.file, one.values[0]) for one in found] == [
        ("memory.max", "max"),
        ("cpu.max", "max 100000"),
        ("pids.max", "max"),
    ]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"memory": {"swappiness": 60}}, "memory.swappiness"),
        ({"memory": {"disableOOMKiller": True}}, "memory.disableOOMKiller"),
        ({"memory": {"swap": 5}}, "memory.swap"),
        ({"memory": {"limit": 9, "swap": 5}}, "memory.swap"),
        ({"cpu": {"realtimeRuntime": 5}}, "cpu.realtimeRuntime"),
        ({"blockIO": {"weight": 5}}, "blockIO.weight"),
        ({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 5}]}}, "blockIO.weightDevice[0]"),
        ({"unified": {"../pids.max": "5"}}, "unified"),
        ({"unified": {"memory": "5"}}, "unified"),
    ],
)
def test_what_cgroup_v2_does_not_have(given: dict[str, Any], path: str) -> None:
    with pytest.raises(RootlessError) as told:
        resources.settings(resources.asked(given))
    assert isinstance(told.value, InvalidInput | NotSupported)
    assert told.value.message.startswith(f"linux.resources.{path}")


def test_the_names_of_scopes() -> None:
    assert scopes.read("user.slice:libpod:abc", "c") == ("user.slice", "libpod-abc")
    assert scopes.read("machine.slice::abc", "c") == ("machine.slice", "abc")
    assert scopes.read(":docker:abc", "c").scope == "docker-abc"
    assert scopes.read("", "c").scope == "rootless-oci-c"
    for wrong in ("/libpod/abc", "user.slice:abc", "user:libpod:abc", "user.slice:libpod:", "a.slice:b:c:d"):
        with pytest.raises(InvalidInput, match=r"linux\.cgroupsPath"):
            scopes.read(wrong, "c")
    assert scopes.is_meant("user.slice:libpod:abc")
    assert not scopes.is_meant("/user.slice/libpod/abc")


def test_what_the_scope_has_too() -> None:
    settings = resources.settings(resources.asked(ALL))
    assert systemd.totals(settings) == [("MemoryMax", ("t", 200)), ("MemorySwapMax", ("t", 100)), ("TasksMax", ("t", 9))]
    endless = resources.settings({"memory": {"limit": -1}, "unified": {"pids.max": "max"}})
    assert {value for _, (_, value) in systemd.totals(endless)} == {(1 << 64) - 1}
    assert dict(systemd.weights(settings)) == {
        "CPUWeight": ("t", 0),  # idle
        "IOWeight": ("t", 1),
        "IODeviceWeight": ("a(st)", [("/dev/block/8:0", 10000)]),
    }
