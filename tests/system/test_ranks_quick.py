"""Ranks of `run --shared` that the launcher lets in by itself (helpers/ranks/): they have what those have that came by way of Python, and
nothing that somebody else has left lets them in elsewhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.hostile.conftest import compiled
from tests.need import need_program

pytestmark = pytest.mark.real_ids("ranks with emulated ids start an interpreter each")
RUN = ("run", "--shared=quick", "--network", "none")
SHOW = r"""
grep -vE '^(State|Vm|Rss|Hugetlb|Pid|Tgid|NS|Ngid|SigQ|voluntary|nonvoluntary|Cpus|Mems|x86|FDSize)' /proc/$$/status
env | grep -v ^SLURM_PROCID | sort; echo "rank $SLURM_PROCID" >&2
cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj; cat /proc/self/attr/current 2>&1; echo
for each in /proc/self/ns/*; do readlink $each; done; readlink /proc/self/exe; pwd; id
for each in /proc/$$/fd/*; do echo $each | sed s,.*/,,; done
cut -d' ' -f 7,8,18,19,41 /proc/$$/stat; test $(cut -d' ' -f 6 /proc/$$/stat) = $$ && echo leads its session
read line; echo $line
"""
SIGNALLED = "trap 'echo told; exit 7' TERM; echo up; while :; do sleep 0.1; done"


class Rank:
    """A started rank, and whether the launcher still is what it was."""

    def __init__(self, rootless: Rootless, *words: str, env: dict[str, str] | None = None, **more: Any) -> None:
        self.process = rootless.start(*words, env=env or {}, **more)

    def is_quick(self) -> bool:
        return not os.path.basename(os.readlink(f"/proc/{self.process.pid}/exe")).startswith("python")

    def said(self, given: bytes | None = None) -> tuple[int, str, str]:
        out, err = self.process.communicate(given, timeout=120)
        return self.process.returncode, out.decode(), err.decode()

    def line(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def facts_of(rootless: Rootless) -> list[Path]:
    return sorted((rootless.sockets / "shared").glob("*.facts"))


def held(rootless: Rootless, image: str, *options: str) -> Rank:
    """A first rank that stays until its stdin ends."""
    first = Rank(rootless, *RUN, *options, image, "sh", "-c", "echo up; cat")
    assert first.line() == b"up\n", first.said()
    return first


def users(directory: Path, uid: int) -> tuple[str, ...]:
    """Options for an image's users, of whom one is called rank; written over where they are there."""
    (directory / "passwd").write_text(f"root:x:0:0::/root:/bin/sh\nrank:x:{uid}:1501::/tmp:/bin/sh\n")
    (directory / "group").write_text("of:x:1600:rank\n")
    return tuple(word for name in ("passwd", "group") for word in ("-v", f"{directory}/{name}:/etc/{name}:ro"))


@pytest.mark.parametrize(
    "options",
    [
        ("-i", "-e", "PATH=/bin:/usr/bin", "-e", "MINE=mine"),
        ("-u", "rank", "--umask", "027", "--ulimit", "nofile=200:300", "-w", "/tmp", "--env-host", "--group-add", "8"),
        pytest.param(("--privileged", "--group-add", "keep-groups", "-e", "HOME="), marks=pytest.mark.full),
        pytest.param(
            ("--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--userns", "keep-id", "--security-opt", "seccomp=unconfined"),
            marks=pytest.mark.full,
        ),
        ("--security-opt", "no-new-privileges", "--read-only", "-u", "1234:5"),
    ],
    ids=["root", "user", "privileged", "keep-id", "no-new-privileges"],
)  # fmt: skip
def test_the_same_as_by_way_of_python(rootless: Rootless, busybox_image: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    """All that the kernel and the environment tell a program of itself."""
    options = (*options, *users(tmp_path, 1500))
    words = (*RUN, *options, busybox_image, "sh", "-c", SHOW)
    stays = held(rootless, busybox_image, *options)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        mpi = {"PMI_FD": str(theirs.fileno()), "PMI_RANK": "1", "OMP_NUM_THREADS": "3", "LANG": "C"}
        shown = []
        # The second finds what the first has left; the third is asked in another environment.
        for rank, more in enumerate(({}, {}, {"ELSE": "else"})):
            one = Rank(rootless, *words, env={**mpi, "SLURM_PROCID": str(rank), **more}, pass_fds=(theirs.fileno(),))
            assert one.process.stderr is not None
            assert one.process.stderr.readline() == f"rank {rank}\n".encode()
            quick = one.is_quick()
            status, out, err = one.said(b"a word\n")
            assert (status, err) == (0, "")
            shown.append((quick, [line for line in out.splitlines() if line != "ELSE=else"]))
    assert [quick for quick, _ in shown] == [False, True, False]
    assert shown[1][1] == shown[0][1]
    assert shown[2][1] == shown[0][1]
    assert "leads its session" in shown[1][1]
    assert stays.said()[0] == 0
    assert facts_of(rootless) == []
    assert rootless("ps", "-aq").lines == []


def again(rootless: Rootless, *words: str, quick: bool, **more: Any) -> tuple[int, str, str]:
    """A rank, up to its end; it says "up" and waits for its stdin's end."""
    one = Rank(rootless, *words, **more)
    first = one.line().decode()
    assert one.is_quick() is quick, first
    status, out, err = one.said()
    return status, first + out, err


def test_what_has_changed_is_seen(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """Users, the command's file, the directory; and what is each rank's own."""
    options = ("-e", "MINE", "-u", "rank", "--userns", "keep-id", "-v", f"{tmp_path}:/here", *users(tmp_path, 1500))
    tmp_path.chmod(0o755)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho $(id -u) $MINE $SLURM_PROCID $0; cat; kill -9 $$\n")
    program.chmod(0o755)
    words = (*RUN, *options, busybox_image, "/here/program")
    stays = held(rootless, busybox_image, *options)
    assert again(rootless, *words, quick=False) == (137, "1500 /here/program\n", "")
    assert again(rootless, *words, quick=True, env={"SLURM_PROCID": "5"}) == (137, "1500 5 /here/program\n", "")
    assert again(rootless, *words, quick=False, env={"MINE": "x"}) == (137, "1500 x /here/program\n", "")
    assert again(rootless, *words, quick=True, env={"MINE": "x"})[0] == 137
    users(tmp_path, 1501)
    assert again(rootless, *words, quick=False, env={"MINE": "x"}) == (137, "1501 x /here/program\n", "")
    assert again(rootless, *words, quick=True, env={"MINE": "x"}) == (137, "1501 x /here/program\n", "")
    # Another directory: a path in the words could mean another file.
    assert again(rootless, *words, quick=False, env={"MINE": "x"}, cwd=tmp_path)[0] == 137
    # CVE-2019-5736: what is executed leads to what executes it.
    program.unlink()
    program.symlink_to("/proc/self/exe")
    assert "a link of /proc" in rootless(*words, env={"MINE": "x"}, status=126).stderr
    program.unlink()
    assert "no such file" in rootless(*words, env={"MINE": "x"}, status=127).stderr
    program.write_text("#!/proc/self/exe\n")
    program.chmod(0o755)
    assert "a link of /proc" in rootless(*words, env={"MINE": "x"}, status=126).stderr
    program.write_text("#!/bin/sh\necho up; cat\n")
    assert again(rootless, *words, quick=True, env={"MINE": "x"})[:2] == (0, "up\n")
    assert stays.said()[0] == 0
    assert facts_of(rootless) == []


def test_facts_of_what_is_gone(rootless: Rootless, busybox_image: str) -> None:
    """Of a container that was killed, of a process that has its pid, or that others could write: no way in, and none elsewhere."""
    words = (*RUN, busybox_image, "sh", "-c", "echo up; cat")
    first = Rank(rootless, *words)
    assert first.line() == b"up\n"
    processes.wait_until(lambda: facts_of(rootless), "it has left facts")
    (path,) = facts_of(rootless)
    assert path.stat().st_mode & 0o777 == 0o600
    good = path.read_bytes()
    (shown,) = json.loads(rootless("inspect", *rootless("ps", "-q").lines).stdout)
    pid, start = shown["State"]["Pid"], Path(f"/proc/{shown['State']['Pid']}/stat").read_text().rpartition(")")[2].split()[19]
    known = f"\0{pid}\0{start}\0".encode()
    assert good.count(known) == 1
    other = subprocess.Popen(["sleep", "1000"])
    try:
        started = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        # The pid of another process, with its own start and with that of PID 1; PID 1 with another start; a tail cut off; others may write.
        for forged in (f"\0{other.pid}\0{started}\0", f"\0{other.pid}\0{start}\0", f"\0{pid}\0{started}1\0"):
            path.write_bytes(good.replace(known, forged.encode()))
            assert again(rootless, *words, quick=False) == (0, "up\n", "")
        path.write_bytes(good[:-8])
        assert again(rootless, *words, quick=False) == (0, "up\n", "")
        path.write_bytes(good)
        path.chmod(0o620)
        assert again(rootless, *words, quick=False) == (0, "up\n", "")
        good = path.read_bytes()
        (moved := path.with_suffix(".moved")).write_bytes(good)
        path.unlink()
        path.symlink_to(moved)
        assert again(rootless, *words, quick=False) == (0, "up\n", "")
        moved.unlink()
        assert again(rootless, *words, quick=True) == (0, "up\n", "")
        # Killed with all that would tidy up; another container has the key then.
        good = path.read_bytes()
        os.kill(monitor_of(pid), signal.SIGKILL)
        with suppress(ProcessLookupError):  # it has a death signal for that
            os.kill(pid, signal.SIGKILL)
        assert first.process.wait(120) == 137  # its stdin is open
        assert again(rootless, *words, quick=False) == (0, "up\n", "")
        processes.wait_until(lambda: rootless("ps", "-q").lines == [], "the second has gone")
        path.write_bytes(good)
        second = Rank(rootless, *words)
        assert second.line() == b"up\n"
        assert not second.is_quick()
        processes.wait_until(lambda: path.exists() and path.read_bytes() != good, "it has left facts")
        path.write_bytes(good)
        assert again(rootless, *words, quick=False) == (0, "up\n", "")
        assert second.said()[0] == 0
    finally:
        other.kill()
        other.wait()


def monitor_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_signals_and_ends(rootless: Rootless, busybox_image: str) -> None:
    """Passed on, in a job with an end; a rank that is killed takes its command with it."""
    job = {"SLURM_JOB_ID": "9"}
    words = (*RUN, "--stop-timeout", "1", busybox_image, "sh", "-c", SIGNALLED)
    deaf = (*RUN, "--stop-timeout", "1", busybox_image, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    ranks = []
    for each in (words, deaf):  # one after the other: what is noted while the container starts is not believed
        ranks.append(Rank(rootless, *each, env=job))
        assert ranks[-1].line() == b"up\n"
    quick = [Rank(rootless, *each, env=job) for each in (words, deaf, words)]
    assert [rank.line() for rank in quick] == [b"up\n"] * 3
    assert [rank.is_quick() for rank in quick] == [True] * 3
    for rank in quick[:2]:
        rank.process.send_signal(signal.SIGTERM)
    assert quick[0].said() == (7, "told\n", "")
    assert quick[1].said()[0] == 137
    inside = rootless("ps", "-q", env=job).lines
    before = len(rootless("top", *inside, "-o", "pid", env=job).lines)
    quick[2].process.kill()
    quick[2].process.wait()
    processes.wait_until(lambda: len(rootless("top", *inside, "-o", "pid", env=job).lines) < before, "its command has ended")
    for rank in ranks:
        rank.process.kill()
        rank.process.wait()
    processes.wait_until(lambda: rootless("ps", "-aq", env=job).lines == [], "all have gone")


def test_a_signal_that_comes_at_once(rootless: Rootless, busybox_image: str) -> None:
    """Is the command's as soon as that has said a word, however slow the launcher is."""
    strace = need_program("strace")
    stays = held(rootless, busybox_image)
    words = (*RUN, busybox_image, "sh", "-c", SIGNALLED)
    first = Rank(rootless, *words)
    assert first.line() == b"up\n"
    slow = [strace, "-o", "/dev/null", "-e", "trace=rt_sigprocmask", "-e", "inject=rt_sigprocmask:delay_enter=700000"]
    argv = [*slow, *rootless.argv, *words]
    with subprocess.Popen(argv, env=rootless.environment, stdout=subprocess.PIPE) as traced:
        assert traced.stdout is not None
        assert traced.stdout.readline() == b"up\n"
        launcher = int(Path(f"/proc/{traced.pid}/task/{traced.pid}/children").read_text().split()[0])
        assert not os.path.basename(os.readlink(f"/proc/{launcher}/exe")).startswith("python")
        os.kill(launcher, signal.SIGTERM)
        assert traced.stdout.read() == b"told\n"
        assert traced.wait(60) == 7
    first.process.terminate()
    assert first.said()[0] == 7
    assert stays.said()[0] == 0


@pytest.fixture(scope="module")
def stops() -> Iterator[Path]:
    yield from compiled("stops")


def test_who_is_traced(rootless: Rootless, busybox_image: str, stops: Path) -> None:
    """A stop for the launcher, which did not ask to be a tracer, is no end; one whose end a tracer in the container keeps has ended."""
    mount = ("-v", f"{stops}:/stops:ro")
    stays = held(rootless, busybox_image, *mount)
    for verb, status in (("traceme", 3), ("thread", 4)):
        for _ in range(2):
            assert rootless(*RUN, *mount, busybox_image, "/stops", verb, status=status, timeout=60).lines == ["caught", "went on"]
    waits = (*RUN, *mount, busybox_image, "/stops", "wait")
    assert Rank(rootless, *waits).said(b"x")[0] == 7
    kept = Rank(rootless, *waits)
    holder = Rank(rootless, *RUN, *mount, busybox_image, "/stops", "hold", kept.line().split()[1].decode())
    assert kept.is_quick()
    assert holder.line() == b"held\n"
    assert kept.said(b"x")[0] == 7
    assert stays.said()[0] == 0
    holder.process.kill()


def test_last_ones_and_first_ones(rootless: Rootless, busybox_image: str) -> None:
    """Those who come while the last one goes; and a step at once: one is the first, and no interpreter is started for the others."""
    words = (*RUN, busybox_image, "true")
    for _ in range(3):
        started = [Rank(rootless, *words) for _ in range(3)]
        assert [rank.said() for rank in started] == [(0, "", "")] * 3
    step = [Rank(rootless, *RUN, busybox_image, "sh", "-c", "echo up; cat") for _ in range(8)]
    assert [rank.line() for rank in step] == [b"up\n"] * 8
    assert [rank.is_quick() for rank in step].count(False) == 1
    assert [rank.said()[0] for rank in step] == [0] * 8
    assert rootless("ps", "-aq").lines == []
    assert [name for name in os.listdir(rootless.sockets / "shared") if name != "lock"] == []
