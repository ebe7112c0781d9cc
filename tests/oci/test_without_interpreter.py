"""start, state, kill and delete by the launcher alone; and what it leaves to Python, as if it had not been asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness.launcher import build_commands
from tests.oci.bundles import Runtime
from tests.runtime.conftest import gone

PYTHON = 77
"""The exit status of what stands in Python's place."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_commands(tmp_path_factory.mktemp("commands"))


class Alone:
    """The launcher in a directory without a Python: it does what it is asked for, or PYTHON is its status."""

    def __init__(self, oci: Runtime, directory: Path, built: Path) -> None:
        self._oci = oci
        directory.mkdir()
        self._program = shutil.copy(built, directory / "rootless-oci")
        (directory / "rootless-python").write_text(f"#!/bin/sh\nexit {PYTHON}\n")
        (directory / "rootless-python").chmod(0o755)

    def __call__(self, *args: str, status: int = 0, root: str | Path | None = None, stderr: str = "") -> str:
        argv = [self._program, "--root", str(root or self._oci.state), *args]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (status, stderr), f"{args}: {done}"
        return done.stdout

    def state(self) -> str:
        """The status, the text being the one that Python prints."""
        text = self("state", "c")
        assert text == self._oci("state", "c", "--log-level=info").stdout  # an option that the launcher does not know
        status: str = json.loads(text)["status"]
        return status

    def wait_for(self, status: str) -> None:
        deadline = time.monotonic() + 60
        while json.loads(self("state", "c"))["status"] != status:
            assert time.monotonic() < deadline, self("state", "c")
            time.sleep(0.05)
        assert self.state() == status


@pytest.fixture
def alone(oci: Runtime, directory: Path, built: Path) -> Alone:
    return Alone(oci, directory / "alone", built)


def test_the_whole_life(oci: Runtime, alone: Alone) -> None:
    oci.spec["annotations"] = {"a \"quoted\"\nname": "é"}
    log = oci.bundle / "log"
    pid = oci.create("sleep", "60")
    assert alone.state() == "created"
    alone("--log", str(log), "--log-format", "json", "start", "c")
    assert log.read_text() == "", "its reader finds a log without errors"
    assert not (oci.state / "c/start").exists()
    alone.wait_for("running")
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0060\x00"
    alone("kill", "c", "SIGCONT")
    alone("kill", "--all", "c", "9", status=PYTHON)
    alone("kill", "c", "9")
    alone.wait_for("stopped")
    alone("kill", "--all", "c", "9")
    assert json.loads(alone("state", "c"))["pid"] == 0
    alone("delete", "c")
    alone("delete", "--force", "c")
    assert list(oci.state.iterdir()) == [] or [path.name for path in oci.state.iterdir()] == [".seccomp"]


def test_delete_ends_what_was_not_started_and_with_force_what_runs(oci: Runtime, alone: Alone) -> None:
    for words, started in ((("delete", "c"), False), (("delete", "--force", "c"), True)):
        pid = oci.create("sleep", "60")
        if started:
            alone("start", "c")
        alone(*words)
        assert gone(pid)
        assert not (oci.state / "c").exists()


def test_what_is_left_to_python(oci: Runtime, alone: Alone, directory: Path) -> None:
    # Who asks for what is not there hears what Python says, unless it is to be in a log.
    alone("state", "c", status=1, stderr=oci("state", "c", "--log-level=info", status=1).stderr)
    alone("state", "c", "--log=/dev/null", status=PYTHON)
    alone("delete", "c", status=PYTHON)
    oci.create("sleep", "60")
    link = directory / "link"
    link.symlink_to(oci.state)
    with oci.unchanged():
        alone("state", "c", root=link, status=PYTHON)
        alone("state", "c", root=f"{oci.state}/c/..", status=PYTHON)
        for words in (["state"], ["state", "c", "d"], ["state", ".."], ["state", "--", "c"], ["kill", "c", "NOSUCH"], ["kill", "-a", "c"],
                      ["--debug", "start", "c"], ["delete", "--regex", "c"], ["start", "c", "--log"], ["--log=/nowhere/log", "start", "c"],
                      ["list"], ["kill", "c", "65"], ["start", "--force", "c"]):  # fmt: skip
            alone(*words, status=PYTHON)
    facts, record = oci.state / "c/facts", oci.state / "c/state.json"
    whole = facts.read_bytes()
    for other in (b"", whole[:-1], whole + b"\n", whole.replace(b"oci 1", b"oci 2"), whole * 500, b"\n" * 6):
        facts.write_bytes(other)
        for verb in ("state", "start", "delete"):
            alone(verb, "c", status=PYTHON)
    facts.write_bytes(whole)
    record.rename(record.with_name("aside"))
    alone("state", "c", status=PYTHON)
    record.with_name("aside").rename(record)
    alone("start", "c")
    for words in (["start", "c"], ["delete", "c"]):
        alone(*words, status=PYTHON)
    alone("kill", "c", "KILL")
    alone.wait_for("stopped")
    for words in (["start", "c"], ["kill", "c"]):
        alone(*words, status=PYTHON)
    # A process that has its number by now is another one.
    first, process, rest = whole.split(b"\n", 2)
    fields = process.split()
    facts.write_bytes(b"\n".join((first, b" ".join((str(os.getpid()).encode(), *fields[1:])), rest)))
    alone("kill", "c", "KILL", status=PYTHON)
    alone("delete", "c")


def test_hooks_are_pythons(oci: Runtime, alone: Alone) -> None:
    ran = oci.bundle / "ran"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cat >> {ran}"]}
    oci.spec["hooks"] = {"poststart": [hook], "poststop": [hook]}
    oci.create("sleep", "60")
    alone("start", "c", status=PYTHON)
    assert alone.state() == "created"
    oci("start", "c")
    alone("kill", "c", "KILL")
    alone.wait_for("stopped")
    alone("delete", "c", status=PYTHON)
    oci("delete", "c")
    assert [text.split('"')[0] for text in ran.read_text().split('"status": "')[1:]] == ["running", "stopped"]


def test_a_command_that_cannot_be_executed(oci: Runtime) -> None:
    """The launcher has asked the init to start, and Python says what came of it."""
    program, log = oci.rootfs / "tmp/program", oci.bundle / "log"
    for now in ("#!/nosuch\n", "\0", None):
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        oci.create("/tmp/program")
        if now is None:
            program.unlink()
        else:
            program.write_text(now)
        done = oci("--log", str(log), "--log-format=json", "start", "c", status=1)
        assert done.stderr.startswith('rootless-oci: exec: "/tmp/program": '), done.stderr
        assert json.loads(log.read_text())["msg"].startswith('exec: "/tmp/program": ')
        log.unlink()
        oci("delete", "c")
