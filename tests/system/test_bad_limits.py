"""Limits that make no sense: one line that says why, a hint where one helps, and nothing left behind."""

from __future__ import annotations

import os

import pytest

from tests.harness.command import Rootless

CPUS = os.cpu_count() or 1
SIZE = "hint: write a number with b, k, m or g"
DIGITS = "9" * 400


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        ("-m 64q", "invalid argument for --memory: '64q'", SIZE),
        ("-m -1", "invalid argument for --memory: '-1'", SIZE),
        ("-m 1e99", "invalid argument for --memory: '1e99'", SIZE),
        (f"-m {DIGITS}", "is out of range", "hint: at most"),
        ("-m 99999999999999999999g", "is out of range", "hint: at most"),
        ("-m 3m", "Minimum memory limit allowed is 6MB", "hint: a start alone takes that"),
        ("--memory-reservation 3m", "Minimum memory reservation allowed is 6MB", "hint: --memory-reservation 6m"),
        ("--memory-reservation 1g -m 100m", "can not be less than memory reservation", "hint: lower"),
        ("-m 10m --memory-swap 5m", "should be larger than memory limit", "hint: --memory-swap is memory and swap"),
        ("--memory-swap 10m", "always set the Memory limit", "hint: --memory-swap is memory and swap"),
        ("--memory-swappiness 50", "cgroup v2 has no such limit", "hint: bound the swap itself"),
        (f"--cpus {CPUS + 1}", f"there are only {CPUS} CPUs available", ""),
        ("--cpus -1", "invalid argument for --cpus: '-1'", "hint: write a number such as 0.5"),
        ("--cpus nan", "invalid argument for --cpus: 'nan'", "hint: write a number such as 0.5"),
        (f"--cpus {'9' * 5000}", "invalid argument for --cpus", "hint: write a number such as 0.5"),
        ("--cpus 1 --cpu-quota 5000", "Nano CPUs and CPU Quota cannot both be set", ""),
        ("--cpu-shares -1", "invalid --cpu-shares: -1", "hint: 2 to 262144"),
        (f"--cpu-shares {DIGITS}", "value out of range", ""),
        ("--cpu-quota 10", "quota can not be less than 1ms", ""),
        ("--cpu-period 5", "period can not be less than 1ms", ""),
        (f"--cpuset-cpus {CPUS + 4000}", "Requested cpus are not available", ""),
        ("--cpuset-cpus 3-1", "invalid value '3-1' for --cpuset-cpus", "hint: write for example 0-2,5"),
        ("--cpuset-mems 4000", "Requested memory nodes are not available", ""),
        ("--pids-limit -5", "invalid --pids-limit: -5", "hint: a number from 1"),
        ("--blkio-weight 5", "Range of blkio weight is from 10 to 1000", "hint: --blkio-weight 5 is outside"),
        ("--device-read-bps /dev/null:1m", "/dev/null is not a block device", "hint: name one"),
        ("--device-read-bps x", "bad format for --device-read-bps: x", "hint: write /dev/DEVICE:RATE"),
        ("--device-read-iops /dev/x:-1", "invalid rate for device: /dev/x:-1", "hint: a number of operations"),
        ("--oom-score-adj 5000", "Invalid value 5000, range for oom score adj is [-1000, 1000]", ""),
        (f"--ulimit nofile={DIGITS}", "invalid ulimit argument", "hint: write NAME=SOFT[:HARD]"),
        ("--ulimit nofile=10:5", "must be less than or equal to hard limit", ""),
        (f"--shm-size {DIGITS}", "is out of range", "hint: at most"),
        (f"--health-interval {DIGITS}h", "invalid --health-interval", "hint: write for example 30s"),
        ("--cgroups what", "must be one of enabled, disabled, inherit", ""),
        ("--cgroupns what", "must be one of private, host", ""),
        ("--cgroup-parent ../x", "--cgroup-parent ../x", "hint: "),
        ("--cgroup-parent a/b.slice", "--cgroup-parent a/b.slice", "hint: "),
    ],
)
def test_refused(rootless: Rootless, busybox_image: str, words: str, says: str, hint: str) -> None:
    told = rootless("run", "--rm", "--name", "bad", "--network", "none", *words.split(), busybox_image, "true", status=125).stderr
    assert says in told
    assert hint in told
    assert told.startswith("rootless: ")
    assert rootless("ps", "-aq", "--filter", "name=bad").stdout == ""


@pytest.mark.parametrize("words", ["-m 64q", "-m 3m", f"--cpus {CPUS + 1}", "--cpuset-cpus 4000", "--pids-limit -5", ""])
def test_update_leaves_the_container_as_it_was(rootless: Rootless, busybox_image: str, words: str) -> None:
    rootless("create", "--name", "bad", "--network", "none", "--pids-limit", "77", busybox_image, "true")
    before = rootless("inspect", "-f", "{{json .HostConfig}}", "bad").stdout
    told = rootless("update", *words.split(), "bad", status=1).stderr
    assert len(told.splitlines()) <= 2
    assert rootless("inspect", "-f", "{{json .HostConfig}}", "bad").stdout == before
    rootless("rm", "bad")
