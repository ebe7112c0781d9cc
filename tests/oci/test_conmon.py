"""conmon with the words that CRI-O gives it (internal/oci/runtime_oci.go), and what CRI-O calls itself: Debian has conmon, not CRI-O."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness import processes
from tests.harness.account import SYSTEM_PATH
from tests.harness.terminal import Terminal
from tests.need import need_program
from tests.oci.bundles import Runtime

ID = "c0ffee"
SERVER = "trap 'echo ending; exit 3' TERM; echo out; echo err >&2; read line; echo got $line; while :; do sleep 0.1; done"


class Crio:
    """CRI-O's side of a container in `oci`'s bundle."""

    def __init__(self, oci: Runtime, directory: Path) -> None:
        self.oci, self.directory = oci, directory
        self.log, self.pid_file, self.exits = directory / "log", directory / "pid", directory / "exits"
        self.sockets = directory / "s"
        for path in (self.exits, self.sockets, directory / "persistent"):
            path.mkdir()
        self.environment = {"PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}", "XDG_RUNTIME_DIR": str(directory)}

    def conmon(self, *words: str) -> dict[str, Any]:
        """What conmon says last on CRI-O's pipe: of a container that it is there, and goes on; of an exec that it has ended."""
        said, says = os.pipe()
        waits, go = os.pipe()
        runtime = ["-r", str(self.oci.program), "--runtime-arg", f"--root={self.oci.state}"]
        conmon = subprocess.Popen(
            [need_program("conmon"), "-c", ID, "-n", "k8s_box", *runtime, *words],
            pass_fds=(says, waits), env={**self.environment, "_OCI_SYNCPIPE": str(says), "_OCI_STARTPIPE": str(waits)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for fd in (says, waits):
            os.close(fd)
        os.write(go, b"\0")  # CRI-O has moved it to its cgroup
        os.close(go)
        with os.fdopen(said) as pipe:
            line = pipe.readline()
            if "-e" in words:
                line = pipe.read() or line
        assert conmon.wait(30) == 0
        found: dict[str, Any] = json.loads(line.splitlines()[-1])
        return found

    def create(self, *words: str) -> dict[str, Any]:
        self.oci.write()
        return self.conmon(
            "-b", str(self.oci.bundle), "-p", str(self.pid_file), "-P", str(self.directory / "conmon.pid"), "-u", ID,
            "-l", str(self.log), "--exit-dir", str(self.exits), "--persist-dir", str(self.directory / "persistent"),
            "--socket-dir-path", str(self.sockets), "--log-size-max", "1000000", *words,
        )  # fmt: skip

    def exec_sync(self, *args: str, terminal: bool = False) -> tuple[int, list[str]]:
        """The status and the log of a probe or a hook."""
        log = self.directory / "exec.log"
        words = ["-t"] if terminal else []
        answer = self.conmon(
            "-e", "--exec-process-spec", self.process(*args, terminal=terminal), "-p", str(self.directory / "exec.pid"),
            "-l", str(log), "--socket-dir-path", str(self.sockets), *words,
        )  # fmt: skip
        return answer["exit_code"], lines_of(log)

    def process(self, *args: str, terminal: bool = False) -> str:
        """The file of a process for exec."""
        path = self.directory / "process.json"
        path.write_text(json.dumps({**self.oci.spec["process"], "args": list(args), "terminal": terminal}))
        return str(path)

    def ended(self) -> int:
        """Its exit status, which conmon leaves in the directory that CRI-O watches."""
        processes.wait_until(lambda: (self.exits / ID).exists() and (self.exits / ID).read_text() != "", "conmon tells of its end")
        return int((self.exits / ID).read_text())


def lines_of(log: Path) -> list[str]:
    """A log as the kubelet reads it, its lines without their times."""
    return [line.split(" ", 1)[1] for line in log.read_text().splitlines()]


@pytest.fixture
def crio(oci: Runtime, tmp_path: Path) -> Crio:
    return Crio(oci, tmp_path)


def test_a_containers_life(crio: Crio) -> None:
    oci = crio.oci
    oci.spec["process"]["args"] = ["sh", "-c", SERVER]
    answer = crio.create("-i", "--leave-stdin-open")
    assert answer["pid"] == int(crio.pid_file.read_text()) > 0
    assert oci.document(ID)["status"] == "created"
    oci("start", ID)
    processes.wait_until(lambda: len(lines_of(crio.log)) == 2, "its first words")
    assert sorted(lines_of(crio.log)) == ["stderr F err", "stdout F out"]

    assert crio.exec_sync("sh", "-c", "echo probe; echo why >&2; exit 6") == (6, ["stdout F probe", "stderr F why"])
    status, shown = crio.exec_sync("tty", terminal=True)
    assert (status, shown[-1].startswith("stdout F /dev/pts/")) == (0, True), shown
    # `kubectl exec` is a call of CRI-O itself: with pipes, and at a terminal that it has made.
    done = oci("exec", "--process", crio.process("sh", "-c", "cat; exit 7"), ID, status=7, stdin=None, input="through")
    assert done.stdout == "through"
    argv = [str(oci.program), "--root", str(oci.state), "exec", "--process", crio.process("tty", terminal=True), ID]
    terminal = Terminal(argv, crio.environment)
    terminal.expect("/dev/pts/")
    assert terminal.wait() == 0

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as attached:
        attached.connect(str(crio.sockets / ID / "attach"))
        attached.send(b"a line\n")
        processes.wait_until(lambda: "stdout F got a line" in lines_of(crio.log), "what was typed")
    oci("kill", ID, "15")
    assert crio.ended() == 3
    assert lines_of(crio.log)[-1] == "stdout F ending"
    assert oci.document(ID)["status"] == "stopped"
    oci("delete", "--force", ID)
    assert oci("list", "-q").stdout == ""


def test_a_terminal(crio: Crio) -> None:
    crio.oci.spec["process"] |= {"terminal": True, "args": ["sh", "-c", "tty; exit 4"]}
    crio.create("-t")
    crio.oci("start", ID)
    assert crio.ended() == 4
    assert lines_of(crio.log)[0].startswith("stdout F /dev/pts/")
    crio.oci("delete", "--force", ID)


def test_why_it_cannot_be_made(crio: Crio) -> None:
    """conmon says what the runtime has said: it becomes the event of the pod."""
    crio.oci.spec["process"]["args"] = ["/nowhere"]
    answer = crio.create()
    assert answer["pid"] < 0
    assert "/nowhere" in answer["message"]


def test_what_crio_asks_of_a_runtime(crio: Crio) -> None:
    """Its version and features at CRI-O's start; and a checkpoint, which we cannot make, is an error."""
    assert crio.oci("--version").stdout.startswith("rootless-oci version ")
    assert json.loads(crio.oci("features").stdout)["linux"]["namespaces"]
    refused = crio.oci("checkpoint", "--image-path", "/nowhere", ID, status=1).stderr
    assert "checkpoint" in refused
