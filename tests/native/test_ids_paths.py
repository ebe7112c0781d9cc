"""Emulated ids against real ones, by every way to a file and every kind of user (ids_sequences, ids_paths.c)."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.harness.trees import remove_tree
from tests.native.ids_sequences import Sequence
from tests.native.test_ids import ALL_IDS, HERE, emulated
from tests.need import need_program

# The gate makes the same sequences every time; ROOTLESS_IDS_SEEDS=FROM-TO hunts with others.
SEEDS = range(*(int(each) for each in os.environ.get("ROOTLESS_IDS_SEEDS", "0-120").split("-")))

# What was found so, each as short as it shows: a line for each, its calls one after the other.
FOUND = """
slot 2 - b 0 0|setresgid 33 33 33|setresuid 33 33 33|target 33 33 33 33|open - /proc/@t/fd/@2 2 0
setresgid 33 33 33|setresuid 33 33 33|target 33 33 33 33|chmod - /proc/@t/root@d/b 0666|truncate /proc/@t/cwd/r|chmod - /proc/@t/cwd 0700
setresuid 1000 1000 1000|badexec - s|who
slot 0 - lq 2097152 0|chroot m|setresuid 1000 1000 1000|chmod2 - /proc/self/fd/@0/p 02644 4096
mkdir - //proc//self/cwd/G/new 02755
setfsuid 1000|acl t 0 02755 -1
setresuid 0 33 33|setfsuid 0|who
serve lcwd/sock 33 33
setfsuid 1000|open 1 /proc/self/../@p/cwd/lq 4259841 06755
slot 0 - d/.. 65536 0|setresuid 0 33 0|slot 1 - d/. 65536 0|access 0 lself/fd/@1/c/e/../x 1 768
setreuid -1 33|removex ./prog system.posix_acl_default 0
setresuid 0 33 33|access - lcwd/prog 7 4608
setfsuid 1000|link - /proc/../proc/self/cwd/a - @d/none/ 0
rename - d - m 2|setresuid 0 1000 0|rename - a - ld/up 2
chroot .|setresuid 0 1000 0|rename - G/f - none/ 0
setresgid 0 33 0|setresuid 0 33 33|open2 - n 65536 0 0
target 33 33 33 33|priority
setfsuid 1000|setcap ../@n/t/a
setfsuid 1000|open - /proc/thread-self/cwd/lself 1025 0
setresuid 0 33 0|chmod2 - ./lq 0444 256
chown - /proc/1/cwd 33 44 0|stat - /proc/1/cwd 0
slot 2 - /proc/thread-self/cwd/g 2 0644|exec - g 0|who
setresuid 33 33 33|link - d/other - /proc/@p/root@d/q/new 0
setresuid 0 1000 0|setfsuid 0|setcap lself/cwd/c/x
slot 0 - d/. 65536 0|mount tmpfs c/e|setreuid 33 1000|link 0 /proc/./self/cwd/q 0 /proc/self/fd/@0/lc 1024
setresuid 1000 1000 1000|rename - c - d/x 0
setfsuid 1000|rename - t/a - t 2
slot 2 - lcwd/u 262144 0444|setresuid 33 33 33|fchown 2 -1 -1
setreuid 33 1000|open - lq 64 0777
setresuid 0 1000 0|open 2 /proc/1/cwd 131072 0
setreuid 33 1000|link 3 /proc/self - ./c/e/../x 0
setreuid 33 1000|readlink 3 @e
acl d 1 0777 -1|setresuid 33 33 33|mkdir - d/new 0777|open - d/other 0101 0666|open - d 020200002 0666
slot 0 - c 2097152 0|chmod - c 02755|setresuid 33 33 33|open 0 ./w 64 06755
mount readonly m|setresuid 33 33 33|rename - t/b - m/x 2
setgroups 5 44|setresgid 44 44 44|setresuid 33 1000 33|status - /proc/self/status|slot 0 - /proc/@p 2097152 0|status 0 status|status 0 none
target 33 1000 33 44|status - /proc/@t/status|setresuid 1000 1000 1000|status - /proc/@t/status|status - /proc/thread-self/status
setresgid 0 1000 0|setresuid 33 33 33|target 1000 1000 0 33|exec - /proc/@t/cwd/d/other 4096
setreuid 33 1000|target 0 0 33 33|access 2 /proc/@t/root@d/d 5 4608
setresuid 0 33 33|setfsuid 0|slot 0 - t 2097152 0|target 33 0 0 33|acl /proc/@t/fd/@0/prog 1 0777 -1
setresuid 0 1000 0|setfsuid 0|chown - /proc/1/cwd 44 33 4096
setfsuid 33|open 0 /proc/self 262144 0
setcap prog 0x2000 0 1|setresuid 33 33 33|exec - prog 0|who|capset 0x2000 0 0|who|capset 0x3000 0 0|exec - s 0|who
setcap prog 0x2000 0 0|setresuid 33 33 33|exec - prog 0|who|capset 0x2000 0x2000 0|who|exec - g 0|who
setcap prog 0x2000 0 1|setresuid 33 0 33|exec - prog 0|who
setcap prog 0x2000 0 1|nnp|setresuid 33 33 33|exec - prog 0|who
setcap s 0x2000 0 1|setresuid 1000 1000 1000|exec - s 0|who
setcap prog 0x1 0 1|setresuid 1000 1000 1000|exec - prog 0|chown - b 33 33 0|chown - r -1 44 0|chmod - a 0600|open - r 0 0
setcap prog 0x2 0 1|setresuid 1000 1000 1000|exec - prog 0|open - r 2 0|open - c/new 0101 0644|chown - r 33 33 0|unlink - t/a 0
setcap prog 0x4 0 1|setresuid 1000 1000 1000|exec - prog 0|open - r 0 0|open - r 2 0|open - c/x 0 0|open - r 1 0
setcap prog 0x8 0 1|setresuid 1000 1000 1000|exec - prog 0|chmod - a 0600|times - b 0 0|unlink - t/a 0|chmod - b 02755|acl b 0 0644 -1
setcap prog 0xc0 0 1|setresuid 1000 1000 1000|exec - prog 0|setgroups 44|setresuid 33 33 33|who
keep 1|setresuid 33 33 33|capset 0xffffffff 0xffffffff 0x2000|ambient 2 13|who|exec - prog 0|who|exec - s 0|who
keep 1|setresuid 33 33 33|capset 0xffffffff 0xffffffff 0x2000|setcap prog 0 0x2000 1|exec - prog 0|who
capset 0xffffffff 0xffffffff 0x2000|ambient 2 13|setresuid 33 33 33|who
nnp|setresgid 0 33 0|setfsgid 0|setresuid 0 33 0|exec - prog 0|who
setcap a 0x2000 0 1|getcap a|chown - a 33 33 0|getcap a
setcap a 0x2000 0 1|setresuid 33 33 33|setcap a 0x1 0 1|removex a security.capability 0|chown - a -1 -1 0|getcap a
setresgid 33 44 33|setresuid 33 33 33|rename - d/x - d/new 4|stat - d/x 256|rename - d/new - d/z 5|rename - t/a - d/z 6
named a 0 0640 7 1000 6 44|getacl a 0|setresuid 1000 1000 1000|open - a 2 0|open - a 0 0|access - a 6 512|named a 0 0640 7 33 6 44
named a 0 0640 4 1000 6 44|stat - a 0|setresgid 44 44 44|setresuid 1000 1000 1000|open - a 2 0|open - a 0 0|named r 0 0640 7 1000 6 44
named r 0 0600 7 5 0 44|setgroups 44|setresuid 1000 1000 1000|open - r 0 0|open - r 1 0|getacl r 0
named r 0 0600 7 1000 5 44|chmod - r 0600|getacl r 0|setresuid 1000 1000 1000|open - r 0 0
named r 0 0600 7 1000 5 44|removex r system.posix_acl_access 0|getacl r 0|stat - r 0|named r 0 0600 7 1000 5 44|acl r 0 0644 -1|getacl r 0
named d 1 0750 7 33 7 44|getacl d 1|mkdir - d/new 0777|open - d/other 0101 0666|getacl d/new 0|getacl d/new 1|getacl d/other 0
named d 1 0750 5 33 7 44|setresuid 33 33 33|mkdir - d/new 0700|open - d/other 0101 0640|getacl d/new 0|symlink - d/z a|mknod - d/f 010666
named q 0 0700 7 33 5 44|setresuid 33 33 33|open - q/x 0 0|open - q/new 0101 0644|readlink - q/x|chdir q
named G 1 0775 7 33 7 44|setgroups 44|setresuid 1000 1000 1000|open - G/new 0101 02775|mkdir - G/other 0700|open - G 020200002 0666
fnamed 2 0 0640 7 33 6 44|slot 2 - b 0 0|fnamed 2 0 0640 7 33 6 44|getacl b 0|chown - b 33 33 0|getacl b 0|fchmod 2 0711|getacl b 0
named lq/x 0 0640 7 33 6 44|getacl lq/x 0|setresuid 33 33 33|getacl lq/x 0|named t 1 0777 7 33 6 44|named a/ 0 0640 7 33 6 44
named t 0 0777 7 33 6 44|named q 0 0777 7 33 4 44|setresuid 33 33 33|open - t/b 0 0|open - q/x 0 0|stat - q/x 0
chown - /proc/self -1 -1 256
mount readonly m|setresuid 33 33 33|open - m/y 01001 0|open - m/y 0101 0
rename - G/f - G/new 4|stat - G/f 256
"""


def build(place: Path) -> Path:
    """The program that makes the calls, small, for each directory has three copies of it."""
    built = place / "ids_paths"
    sources = [HERE / f"ids_{each}.c" for each in ("paths", "paths_ids", "paths_files", "others")]
    subprocess.run([need_program("musl-gcc"), "-static", "-Os", "-s", "-o", str(built), *sources], check=True, timeout=60)
    built.chmod(0o755)
    return built


class Caller:
    """One of the two that make the calls."""

    def __init__(self, argv: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(self, script: list[str]) -> list[str]:
        """What came of each call, and what the directory is then."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n".join((*script, ".", "")))
        self.process.stdin.flush()
        said = list(iter(self.process.stdout.readline, "end\n"))
        assert self.process.poll() is None
        return said

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(60)


def without_set_ids(line: str) -> str:
    return re.sub(r"( \d+:\d+ \d+)[2-7](\d{3})", r"\g<1>0\2", line)


def check(reals: list[Caller], other: Caller, scripts: Iterable[tuple[object, list[str]]]) -> None:
    """What `other` says to each script is what those with real ids say, line by line one of them. Of two of them set-id bits are not
    compared: each takes them at other times."""
    for name, script in scripts:
        shown = str if len(reals) == 1 else without_set_ids
        expected = list(zip(*(map(shown, real.says(script)) for real in reals), strict=False))
        found = list(map(shown, other.says(script)))
        differ = [(line, lines) for line, lines in zip(found, expected, strict=False) if line not in lines]
        assert not differ, f"{name}: {differ[:3]}; {script}"
        assert len(found) == len(expected), f"{name}: {script}"


@pytest.fixture(scope="module")
def sides(helpers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, Caller]]:
    place = tmp_path_factory.mktemp("paths")
    program = build(place)
    directories = [place / "real", place / "same"]  # of one length
    for each in directories:
        each.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    argv = ([*ALL_IDS, str(program)], emulated(helpers, "full", str(program)))
    real, other = (
        Caller([*words, str(each)], cwd=each, env=environment) for words, each in zip(argv, directories, strict=True)
    )
    yield real, other
    assert [real.end(), other.end()] == [0, 0]
    for each in directories:
        remove_tree(each)


def test_what_was_found(sides: tuple[Caller, Caller]) -> None:
    check([sides[0]], sides[1], ((line, line.split("|")) for line in FOUND.strip().splitlines()))


def test_sequences(sides: tuple[Caller, Caller]) -> None:
    check([sides[0]], sides[1], ((f"seed {seed}", Sequence(seed).lines()) for seed in SEEDS))
