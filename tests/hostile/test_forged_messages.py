"""What a container says in our name: the last program of ours runs inside, with the wire to its caller open.

forge.c gets hold of it there, which is nothing that a wall forbids: it is a process of the container's. So
nothing that is said from then on may do more than fail this one command.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Result, Rootless
from tests.hostile.conftest import compiled
from tests.need import need
from tests.oci.bundles import Runtime, installed, make_rootfs

LONG = json.dumps(["error", {"kind": "NotFound", "message": "x" * 60000, "hint": None}])
MESSAGES = {
    "who it is": ('["cloned", {"pid": VICTIM}]', "["),
    "who it is, only": ('["cloned", {"pid": VICTIM}]',),
    "rubbish": ("[",),
    "no message": ("[1, 2]",),
    "deep": ("deep",),
    "a terminal that is none": ("+[\"terminal\", {}]", "x"),
    "no terminal": ('["terminal", {}]',),
    "a listener that is none": ('+["seccomp", {}]', "x"),
    "no listener": ('["seccomp", {}]',),
    "an error": ('["error", {"kind": "Conflict", "message": "forged"}]',),
    "an error of another kind": ('["error", {"kind": ["x"], "message": {}, "hint": 7}]',),
    "a long error": (LONG,),
    "a number of an error": ('["refused", {"errno": ' + "9" * 5000 + "}]",),
    "a large number of an error": ('["refused", {"errno": 1099511627776}]',),
    "no number of an error": ('["refused", {}]',),
    "half a letter": ('["error", {"kind": "NotFound", "message": "\\ud800"}]',),
    "the end of a launch": ('["launched", {"pid": VICTIM}]',),
}


@pytest.fixture(scope="session")
def forge() -> Iterator[Path]:
    need(os.uname().machine == "x86_64", "forge.c knows the registers of x86-64")
    yield from compiled("forge")


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the caller's on the host, none of the container's business."""
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def written(messages: tuple[str, ...], victim: subprocess.Popen[bytes]) -> list[str]:
    return [message.replace("VICTIM", str(victim.pid)) for message in messages]


class Forged:
    """A command of ours, and what was said in its name."""

    def __init__(self, forge: Path, said: Path) -> None:
        self.forge, self.said = forge, said

    def __call__(self, command: Rootless, words: list[str], *args: str) -> Result:
        """`rootless ARGS...` with those words said by the program that is about to execute its command."""
        self.said.write_text("")
        argv = command.argv
        try:
            command.argv = [str(self.forge), "outside", str(self.said), *words, "--", *argv]
            done = command(*args, status=None, timeout=30)
        finally:
            command.argv = argv
        self.check()
        return done

    def check(self) -> None:
        """The first of them at least has found a wire that was open."""
        assert self.said.read_text().startswith("sent "), "it was never there"
        assert not self.said.read_text().startswith("sent 0"), self.said.read_text()


@pytest.fixture
def forged(forge: Path, tmp_path: Path) -> Forged:
    return Forged(forge, tmp_path / "said")


def told(done: Result) -> None:
    """One line, perhaps a hint, of a length that can be read."""
    assert len(done.stderr) < 2200
    assert len(done.stderr.splitlines()) <= 2, done.stderr


@pytest.fixture
def box(rootless: Rootless, busybox_image: str) -> Iterator[str]:
    options = ("--health-cmd", "/bin/true", "--health-interval", "1h")
    rootless("run", "-d", "--name", "box", "--network", "none", *options, busybox_image, "sleep", "1000")
    yield "box"
    rootless("rm", "-f", "box")


@pytest.mark.parametrize("name", MESSAGES)
def test_exec(rootless: Rootless, box: str, forged: Forged, victim: subprocess.Popen[bytes], name: str) -> None:
    done = forged(rootless, written(MESSAGES[name], victim), "exec", box, "/bin/true")
    assert victim.poll() is None, "a process of the host was killed"
    assert done.status in (1, 126), done.stderr  # 1: it may say that the container has ended
    told(done)
    rootless("exec", box, "true")


@pytest.mark.parametrize("name", ["who it is", "no terminal", "deep"])
def test_exec_with_a_terminal(
    rootless: Rootless, box: str, forged: Forged, victim: subprocess.Popen[bytes], name: str
) -> None:
    done = forged(rootless, written(MESSAGES[name], victim), "exec", "-t", box, "/bin/true")
    assert victim.poll() is None
    assert done.status == 126
    told(done)


@pytest.mark.parametrize("name", ["who it is", "a terminal that is none", "deep", "a long error"])
def test_health_checks(
    rootless: Rootless, box: str, forged: Forged, victim: subprocess.Popen[bytes], name: str
) -> None:
    forged(rootless, written(MESSAGES[name], victim), "healthcheck", "run", box)
    assert victim.poll() is None, "a process of the host was killed"
    (found,) = json.loads(rootless("inspect", box).stdout)
    assert found["State"]["Health"]["Log"][-1]["ExitCode"] == -1
    assert len(found["State"]["Health"]["Log"][-1]["Output"]) < 2200
    rootless("healthcheck", "run", box)


@pytest.mark.parametrize("name", ["who it is", "no listener", "deep", "a long error", "the end of a launch"])
@pytest.mark.parametrize("shared", [(), ("--pid", "container:box")])
def test_the_first_process(
    rootless: Rootless, box: str, forged: Forged, busybox_image: str, victim: subprocess.Popen[bytes], name: str,
    shared: tuple[str, ...],
) -> None:  # fmt: skip
    """Of a container that shares its pid namespace with another one: that has got it in its hands."""
    words = written(MESSAGES[name], victim)
    done = forged(rootless, words, "run", "--rm", "--network", "none", *shared, busybox_image, "true")
    assert victim.poll() is None, "a process of the host was killed"
    assert done.status == 125
    told(done)
    assert len(rootless("ps", "-aq").lines) == 1, "nothing of it is left"


def test_the_race_for_an_exec_and_for_health_checks(
    rootless: Rootless, busybox_image: str, forge: Path, victim: subprocess.Popen[bytes]
) -> None:
    """The attack as it is done: by the container, which gets hold of some; of its image's own health checks, too."""
    words = written(MESSAGES["who it is"], victim)
    options = ("--network", "none", "--health-cmd", "/bin/true", "--health-interval", "500ms")
    rootless("run", "-d", "--name", "box", *options, "-v", f"{forge}:/forge:ro", busybox_image, "/forge", "inside", *words)
    for _ in range(12):
        assert rootless("exec", "box", "/bin/true", status=None, timeout=20).status in (0, 126)
    assert victim.poll() is None, "a process of the host was killed"
    (found,) = json.loads(rootless("inspect", "box").stdout)
    assert found["State"]["Status"] == "running"
    rootless("rm", "-f", "box")


class Oci:
    """rootless-oci, called as Rootless is."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.argv = [str(runtime.program)]

    def __call__(self, *args: str, status: int | None = 0, timeout: float = 30) -> Result:
        done = subprocess.run(
            [*self.argv, "--root", str(self.runtime.state), *args],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        for defect in ("Traceback", "internal error"):
            assert defect not in done.stderr, done.stderr
        assert status is None or done.returncode == status, done.stderr
        return Result(done.returncode, done.stdout, done.stderr, done.stdout.encode())


@pytest.fixture
def oci(trap: Path) -> Iterator[Oci]:
    runtime = Runtime(installed(trap), trap, make_rootfs(trap / "rootfs"))
    yield Oci(runtime)
    runtime.clean()


@pytest.mark.parametrize("name", ["who it is", "deep", "a long error", "a terminal that is none"])
def test_exec_of_the_runtime(oci: Oci, forged: Forged, victim: subprocess.Popen[bytes], name: str) -> None:
    pid = oci.runtime.create("sleep", "1000")
    oci("start", "c")
    done = forged(oci, written(MESSAGES[name], victim), "exec", "c", "/bin/true")  # type: ignore[arg-type]
    assert victim.poll() is None, "a process of the host was killed"
    assert done.status != 0
    told(done)
    assert os.path.exists(f"/proc/{pid}")
    oci("exec", "c", "/bin/true")


@pytest.mark.parametrize("name", ["who it is", "deep", "no listener"])
def test_run_of_the_runtime(oci: Oci, forged: Forged, victim: subprocess.Popen[bytes], name: str) -> None:
    oci.runtime.spec["process"]["args"] = ["true"]
    oci.runtime.write()
    words = written(MESSAGES[name], victim)
    done = forged(oci, words, "run", "--bundle", str(oci.runtime.bundle), "c")  # type: ignore[arg-type]
    assert victim.poll() is None
    assert done.status != 0
    told(done)
    assert oci("list", "-q").stdout == ""
