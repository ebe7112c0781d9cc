"""Docker's words as files of cgroup v2: conversions, and what is refused. No kernel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.cgroup import limits
from rootless.engine.options.resources import Resources, parse_cpus, parse_rate
from rootless.engine.state import resources
from rootless.errors import InvalidInput

MIB = 1 << 20


def files(asked: Resources) -> dict[str, tuple[str, ...]]:
    return {one.file: one.values for one in limits.settings(resources.to_oci(asked)) if not one.default}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"memory": 100 * MIB}, {"memory.max": ("104857600",)}),
        (
            {"memory": 100 * MIB, "memory_swap": 100 * MIB},
            {"memory.max": ("104857600",), "memory.swap.max": ("0",)},
        ),
        ({"memory": 100 * MIB, "memory_swap": -1}, {"memory.max": ("104857600",), "memory.swap.max": ("max",)}),
        ({"memory_reservation": 50 * MIB}, {"memory.low": ("52428800",)}),
        ({"nano_cpus": 500_000_000}, {"cpu.max": ("50000 100000",)}),
        ({"cpu_quota": 20_000, "cpu_period": 50_000}, {"cpu.max": ("20000 50000",)}),
        ({"cpuset_cpus": "0"}, {"cpuset.cpus": ("0",)}),
        ({"pids_limit": 100}, {"pids.max": ("100",)}),
        ({"pids_limit": -1}, {"pids.max": ("max",)}),
        ({"blkio_weight": 10}, {"io.weight": ("default 1",)}),
        ({"blkio_weight": 1000}, {"io.weight": ("default 10000",)}),
        ({}, {}),
    ],
)
def test_files(asked: Resources, expected: dict[str, tuple[str, ...]]) -> None:
    assert files(asked) == expected


def test_a_period_alone_limits_nothing() -> None:
    """So it may be missing where there is no controller; DockerSpawner sends one with every container."""
    (found,) = (one for one in limits.settings(resources.to_oci({"cpu_period": 50_000})) if one.file == "cpu.max")
    assert (found.values, found.default) == (("max 50000",), True)


def test_what_nobody_asked_for() -> None:
    """2048 processes; and as much swap as memory, as Docker has it."""
    found = {one.file: one for one in limits.settings(resources.to_oci({"memory": 64 * MIB}))}
    assert found["pids.max"].values == ("2048",)
    assert found["pids.max"].default
    assert found["memory.swap.max"].values == (str(64 * MIB),)
    assert found["memory.swap.max"].default


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (256, 10), (1024, 39), (262_144, 10_000), (1 << 30, 10_000)])
def test_shares(shares: int, weight: int) -> None:
    """The numbers that crun and runc have had since 2019."""
    assert limits.weight_of_shares(shares) == weight


@given(st.integers(2, 262_144), st.integers(2, 262_144))
def test_more_shares_never_weigh_less(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 1 <= limits.weight_of_shares(low) <= limits.weight_of_shares(high) <= 10_000


@pytest.mark.parametrize(
    "asked",
    [
        {"memory": 3 * MIB},
        {"memory": 64 * MIB, "memory_swap": 32 * MIB},
        {"memory_swap": 64 * MIB},
        {"memory": 64 * MIB, "memory_reservation": 128 * MIB},
        {"nano_cpus": 10**13},
        {"nano_cpus": 1},
        {"nano_cpus": 10**9, "cpu_quota": 5000},
        {"cpu_period": 5},
        {"cpu_quota": 5},
        {"cpuset_cpus": "0-"},
        {"cpuset_cpus": "4000"},
        {"pids_limit": -5},
        {"blkio_weight": 5},
    ],
)
def test_refused(asked: Resources) -> None:
    with pytest.raises(InvalidInput):
        resources.check(asked)


@pytest.mark.parametrize("word", ["", "x", "-1", "1.2.3", "1e3", "٣", "0.0000000001"])
def test_no_number_of_processors(word: str) -> None:
    if word:
        with pytest.raises(InvalidInput):
            parse_cpus(word)


def test_rates() -> None:
    assert parse_rate("/dev/sda:1mb", "device_read_bps") == {"path": "/dev/sda", "rate": MIB}
    assert parse_rate("/dev/sda:500", "device_write_iops") == {"path": "/dev/sda", "rate": 500}
    for word in ("/dev/sda", "sda:1", "/dev/sda:x"):
        with pytest.raises(InvalidInput):
            parse_rate(word, "device_read_iops")


@pytest.mark.parametrize("words", ["1-0", "a", "", "1,,2", "-1", "0-99999999"])
def test_no_list(words: str) -> None:
    with pytest.raises(ValueError):
        limits.parse_cpu_list(words)
