"""Sequences of calls in containers: with emulated ids as with real ones, in what was made there and in what the image has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.native.ids_sequences import Sequence
from tests.native.test_ids_paths import Caller, build, check
from tests.need import need_program
from tests.system.test_hosts import ALL_IDS, ONE_ID, inside

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
    """Root has no CAP_SYS_PTRACE in a container: really he goes through no link of another user's process in /proc (ids.md). And where
    a list is taken away that there is not, overlayfs takes the set-group-id bit."""
    return [line for line in script if "/proc/@t/" not in line and not line.startswith("removex")]


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


# A list that names a user and a group is set, its bits are changed; then it is asked for, and what it lets that user do.
LISTED = r"""
rootless load -q -i "$1" >&2; words="--network none -v $2:/ids_paths:ro"
printf '%s\n' 'named a 0 0640 7 1000 6 44' 'chmod - a 0650' 'named d 1 0750 7 33 7 44' . |
    rootless run -i --name made $words busybox:latest /ids_paths /i >&2
rootless commit -q made kept:latest >&2; rootless rm made >&2
rootless save -o "$3" kept:latest; rootless rmi kept:latest >&2
"""
ASKED = r"""
export ROOTLESS_ROOT="$3"; rootless load -q -i "$2" >&2; words="--network none -v $1:/ids_paths:ro"
printf '%s\n' 'getacl a 0' 'getacl d 1' 'stat - a 0' 'setresuid 1000 1000 1000' 'open - a 2 0' 'open - a 0 0' 'mkdir - d/new 0750' . |
    rootless run -i --rm $words kept:latest /ids_paths /i | head -n 12
"""


@pytest.mark.own_store
def test_lists_that_name_somebody_outlive_commit_and_save(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """They were forgotten. An image with them is the same where ids are real."""
    program = build(tmp_path)
    saved = tmp_path / "saved.tar"
    made = inside(rootless, ONE_ID, LISTED, busybox_archive, program, saved)
    assert made.returncode == 0, made.stderr
    asked: list[str] = []
    for namespace in (ONE_ID, ALL_IDS):
        done = inside(rootless, namespace, ASKED, program, saved, tmp_path / str(len(asked)))
        assert done.returncode == 0, done.stderr
        asked.append(done.stdout)
    assert asked[0] == asked[1]
    said = asked[0].splitlines()
    assert said[0] == "getacl 52 0 1:65535:6 2:1000:6 4:65535:4 8:44:4 16:65535:5 32:65535:0"
    assert said[4] == "stat 33:44 100650"
    assert said[6:8] == ["open -1 13", "open 33:44 100650 4000"]
