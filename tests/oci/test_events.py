"""What `events` tells of a cgroup: its files as text, a tree of them, and a container's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rootless.oci.cgroup.stats import blkio, pressure, statistics
from tests.oci.bundles import Runtime

UNLIMITED = (1 << 64) - 1
PRESSURE = "some avg10=0.00 avg60=1.50 avg300=100.00 total=12345\nfull avg10=0.00 avg60=0.25 avg300=0.00 total=7\n"
PSI = {
    "some": {"avg10": 0.0, "avg60": 1.5, "avg300": 100.0, "total": 12345},
    "full": {"avg10": 0.0, "avg60": 0.25, "avg300": 0.0, "total": 7},
}


def test_bytes_and_operations_of_devices() -> None:
    """The words of cgroup v1; what it had no word for (discards, the cost model's) is left out."""
    text = (
        "254:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=512 dios=1 cost.usage=9\n"
        "7:0 7:1 8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n"  # of before Linux 6.1
    )
    assert blkio(text) == {
        "ioServiceBytesRecursive": [
            {"major": 254, "minor": 16, "op": "Read", "value": 4096},
            {"major": 254, "minor": 16, "op": "Write", "value": 8192},
            {"major": 8, "minor": 0, "op": "Read", "value": 1},
            {"major": 8, "minor": 0, "op": "Write", "value": 2},
        ],
        "ioServicedRecursive": [
            {"major": 254, "minor": 16, "op": "Read", "value": 1},
            {"major": 254, "minor": 16, "op": "Write", "value": 2},
            {"major": 8, "minor": 0, "op": "Read", "value": 3},
            {"major": 8, "minor": 0, "op": "Write", "value": 4},
        ],
    }


@pytest.mark.parametrize("text", ["", "8:0", "8:0 \n8:16", "(unknown) rbytes=5 wbytes=5", "8:0 rbytes", "8:0 rbytes=x"])
def test_nothing_said_of_devices(text: str) -> None:
    assert blkio(text) == {}


def test_pressure() -> None:
    assert pressure(PRESSURE) == PSI
    assert pressure("some avg10=1.00 avg60=0.00 avg300=0.00 total=0") == {  # of cpu before Linux 5.13
        "some": {"avg10": 1.0, "avg60": 0.0, "avg300": 0.0, "total": 0}
    }
    assert pressure("") == {}


def _write(path: Path, **files: str) -> str:
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text + "\n")
    return str(path)


def test_a_cgroup_with_every_controller(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        cpu__stat="usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 4\nnr_throttled 1\nthrottled_usec 6",
        cpu__pressure=PRESSURE,
        memory__current="1000", memory__max="5000", memory__peak="2000", memory__stat="anon 600\nfile 300",
        memory__swap__current="50", memory__swap__max="100", memory__swap__peak="60",
        memory__pressure=PRESSURE,
        pids__current="3", pids__max="9",
        io__stat="8:0 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0", io__pressure=PRESSURE,
        hugetlb__2MB__current="4194304", hugetlb__2MB__max="8388608", hugetlb__2MB__events="max 2",
        hugetlb__2MB__rsvd__current="1", hugetlb__2MB__rsvd__max="max",
        hugetlb__1GB__current="0", hugetlb__1GB__max="max", hugetlb__1GB__events="max 0",
    )  # fmt: skip
    assert statistics(path) == {
        "cpu": {
            "usage": {"total": 5000, "user": 3000, "kernel": 2000},
            "throttling": {"periods": 4, "throttledPeriods": 1, "throttledTime": 6000},
            "psi": PSI,
        },
        "memory": {
            "usage": {"usage": 1000, "limit": 5000, "max": 2000},
            "swap": {"usage": 1050, "limit": 5100},
            "raw": {"anon": 600, "file": 300},
            "cache": 300,
            "psi": PSI,
        },
        "pids": {"current": 3, "limit": 9},
        "blkio": {
            "ioServiceBytesRecursive": [
                {"major": 8, "minor": 0, "op": "Read", "value": 1},
                {"major": 8, "minor": 0, "op": "Write", "value": 0},
            ],
            "ioServicedRecursive": [
                {"major": 8, "minor": 0, "op": "Read", "value": 1},
                {"major": 8, "minor": 0, "op": "Write", "value": 0},
            ],
            "psi": PSI,
        },
        "hugetlb": {"2MB": {"usage": 4194304, "failcnt": 2}, "1GB": {"usage": 0, "failcnt": 0}},
    }


def test_no_limits_as_runc_says_it(tmp_path: Path) -> None:
    path = _write(
        tmp_path, memory__current="7", memory__max="max", memory__swap__current="0", memory__swap__max="max",
        pids__current="1", pids__max="max", io__stat="",
    )  # fmt: skip
    assert statistics(path) == {
        "memory": {
            "usage": {"usage": 7, "limit": UNLIMITED},
            "swap": {"usage": 7, "limit": UNLIMITED},
            "raw": {},
            "cache": 0,
        },
        "pids": {"current": 1},
        "blkio": {},
    }
    (tmp_path / "memory.swap.max").write_text("5\n")
    assert statistics(path)["memory"]["swap"]["limit"] == UNLIMITED


def test_what_has_no_controller_is_left_out(tmp_path: Path) -> None:
    path = _write(tmp_path, cpu__stat="usage_usec 5", cgroup__procs="17\n18")
    found = statistics(path)
    assert found.keys() == {"cpu", "pids"}
    assert found["pids"] == {"current": 2}
    assert statistics(str(tmp_path / "gone")) == {}


def test_of_a_container(oci: Runtime, delegated: Path) -> None:
    """The kernel's own files, with such controllers as this host delegates."""
    oci.spec["linux"]["cgroupsPath"] = "box"
    oci.create("sleep", "60")
    oci("start", "c")
    (line,) = oci("events", "--stats", "c").stdout.splitlines()
    event = json.loads(line)
    assert (event["type"], event["id"]) == ("stats", "c")
    data = event["data"]
    assert data["cpu"]["usage"]["total"] > 0
    assert data["pids"] == {"current": 1}
    files = {path.name for path in (delegated / "box").iterdir()}
    assert {name for name in ("cpu", "memory", "io") if f"{name}.pressure" in files} == {
        {"blkio": "io"}.get(name, name) for name, value in data.items() if "psi" in value
    }
    assert ("hugetlb" in data) == ("hugetlb.2MB.current" in files)
    assert ("usage" in data.get("memory", {})) == ("memory.current" in files)
    oci("delete", "--force", "c")
