"""Sequences of calls in containers: with emulated ids as with real ones, in what was made there and in what the image has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.native.ids_sequences import Sequence
from tests.native.test_ids_paths import Caller, build, check
from tests.need import need_program
from tests.system.test_hosts import ALL_IDS, ONE_ID

# ROOTLESS_IDS_SEEDS=FROM-TO hunts with others.
SEEDS = range(*(int(each) for each in os.environ.get("ROOTLESS_IDS_SEEDS", "1001-1041").split("-")))
OF_IMAGE = 20  # of the sequences: where the directory is the image's

# $1: the image's archive, $2: the program, $3: how many directories the image gets, by a container's commit.
SCRIPT = r"""
rootless load -q -i "$1" >&2 </dev/null
for i in $(seq "$3"); do echo .; done |
    rootless run -i --name made --network none -v "$2:/ids_paths:ro" busybox:latest /ids_paths /i >/dev/null
rootless commit -q made kept:latest >&2 </dev/null; rootless rm made >&2 </dev/null
rootless run -i --rm --network none -v "$2:/ids_paths:ro" kept:latest /ids_paths /i
"""


def caller(rootless: Rootless, namespace: tuple[str, ...], driver: str, archive: Path, program: Path) -> Caller:
    """In a container of a session with these ids."""
    command = " ".join(f"'{word}'" for word in rootless.argv)
    argv = [
        *namespace, "--pid", "--fork", "--kill-child", "--mount-proc",
        "sh", "-euc", f'rootless() {{ {command} "$@"; }}\n{SCRIPT}', "sh", str(archive), str(program), str(OF_IMAGE),
    ]  # fmt: skip
    store = program.parent / f"{namespace is ONE_ID}-{driver}"
    environment = {**rootless.environment, "ROOTLESS_ROOT": str(store), "ROOTLESS_STORAGE_DRIVER": driver}
    return Caller(argv, env=environment)


def without_targets(script: list[str]) -> list[str]:
    """Root has no CAP_SYS_PTRACE in a container: really he goes through no link of another user's process in /proc (ids.md)."""
    return [line for line in script if "/proc/@t/" not in line]


@pytest.mark.own_store
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("driver", ["overlay", "fuse-overlayfs"])
def test_sequences_in_containers(rootless: Rootless, busybox_archive: Path, tmp_path: Path, driver: str) -> None:
    need_program("fuse-overlayfs")
    program = build(tmp_path)
    # fuse-overlayfs has answers of its own with real ids: it makes files as root, who is in no group, and a copy may lose its bits.
    reals = [caller(rootless, ALL_IDS, each, busybox_archive, program) for each in sorted({driver, "overlay"})]
    other = caller(rootless, ONE_ID, driver, busybox_archive, program)
    pipes = driver != "fuse-overlayfs"  # which cannot copy a pipe up (1.10)
    check(reals, other, ((f"seed {seed}", without_targets(Sequence(seed, pipes=pipes).lines())) for seed in SEEDS))
    assert [each.end() for each in (*reals, other)] == [0] * (len(reals) + 1)
