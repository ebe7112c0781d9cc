"""`rootless-oci run` and `exec -t` at a person's own terminal: nobody else holds the container's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.harness.account import SYSTEM_PATH
from tests.harness.terminal import Terminal
from tests.oci.bundles import Runtime

Start = Callable[..., Terminal]


def environment(oci: Runtime) -> dict[str, str]:
    return {"PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}", "XDG_RUNTIME_DIR": str(oci.bundle.parent)}


@pytest.fixture
def at_terminal(oci: Runtime) -> Iterator[Start]:
    """Start rootless-oci at a terminal of 24 rows and 80 columns."""
    started: list[Terminal] = []

    def start(*words: str, script: str = "") -> Terminal:
        oci.spec["process"]["terminal"] = True
        if script:
            oci.spec["process"]["args"] = ["sh", "-c", script]
        oci.write()
        argv = [str(oci.program), "--root", str(oci.state), *words]
        started.append(Terminal(argv, environment(oci)))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


INTERRUPTED = "trap 'echo interrupted; exit 5' INT; echo ready; read a; echo got $a; while :; do sleep 0.1; done"


def run(oci: Runtime) -> tuple[str, ...]:
    return ("run", "-b", str(oci.bundle), "c")


def test_it_is_the_containers_own(oci: Runtime, at_terminal: Start) -> None:
    terminal = at_terminal(*run(oci), script="tty; /bin/busybox stty size; exit 7")
    terminal.expect(r"/dev/(pts/0|console)")
    terminal.expect("24 80")
    assert terminal.wait() == 7
    assert oci("list", "-q").stdout == ""


def test_the_window_is_resized(oci: Runtime, at_terminal: Start) -> None:
    script = "trap '/bin/busybox stty size' WINCH; echo ready; while :; do read line || :; done"
    terminal = at_terminal(*run(oci), script=script)
    terminal.expect("ready")
    terminal.resize(33, 111)
    terminal.expect("33 111")
    oci("kill", "c", "KILL")
    assert terminal.wait() == 137


def test_typing_and_ctrl_c(oci: Runtime, at_terminal: Start) -> None:
    terminal = at_terminal(*run(oci), script=INTERRUPTED)
    terminal.expect("ready")
    terminal.line("something")
    terminal.expect("got something")
    terminal.send("\x03")
    terminal.expect("interrupted")
    assert terminal.wait() == 5


def test_ctrl_d_is_an_end_of_file(oci: Runtime, at_terminal: Start) -> None:
    terminal = at_terminal(*run(oci), script="echo ready; cat; echo ended; exit 3")
    terminal.expect("ready")
    terminal.line("through")
    terminal.expect("through\r\nthrough")
    terminal.send("\x04")
    terminal.expect("ended")
    assert terminal.wait() == 3


def test_the_callers_terminal_is_put_back(oci: Runtime) -> None:
    oci.spec["process"]["terminal"] = True
    oci.spec["process"]["args"] = ["sh", "-c", "exit 0"]
    oci.write()
    command = f"stty -a; {oci.program} --root {oci.state} run -b {oci.bundle} c; stty -a; echo over"
    terminal = Terminal(["sh", "-c", command], environment(oci))
    terminal.expect("over")
    assert terminal.wait() == 0
    before, after = terminal.screen.split("speed ")[1:3]
    assert before.split() == after.replace("over", "").split()


def test_a_signal_ends_both(oci: Runtime, at_terminal: Start) -> None:
    terminal = at_terminal(*run(oci), script="trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    terminal.expect("ready")
    os.kill(terminal.pid, 15)
    assert terminal.wait() == 9


def test_much_output_arrives_whole(oci: Runtime, at_terminal: Start) -> None:
    terminal = at_terminal(*run(oci), script="seq 1 20000")
    assert terminal.wait() == 0
    assert terminal.screen.split() == [str(number) for number in range(1, 20001)]


def test_exec_with_a_terminal(oci: Runtime, at_terminal: Start) -> None:
    oci.spec["process"]["terminal"] = False
    oci.create("sleep", "60")
    oci("start", "c")
    terminal = at_terminal("exec", "-t", "c", "sh", "-c", "tty; /bin/busybox stty size; read a; exit $a")
    terminal.expect("/dev/pts/0")
    terminal.expect("24 80")
    terminal.line("6")
    assert terminal.wait() == 6


@pytest.mark.parametrize("stdin", ["pipe", "line", "null", "closed"])
def test_a_terminal_without_one_of_our_own(oci: Runtime, stdin: str) -> None:
    """stdin that ends is an end of file for what reads the terminal, and the output comes all the same."""
    oci.spec["process"]["terminal"] = True
    oci.spec["process"]["args"] = ["sh", "-c", "tty; cat; echo ended"]
    oci.write()
    argv = [str(oci.program), "--root", str(oci.state), *run(oci)]
    typed = {"pipe": b"typed\n", "line": b"typed"}.get(stdin, b"")
    if stdin in ("null", "closed"):
        end = "</dev/null" if stdin == "null" else "<&-"
        argv = ["sh", "-c", f'exec "$@" {end}', "sh", *argv]
    done = subprocess.run(argv, input=typed, capture_output=True, timeout=15, check=False, env=environment(oci))
    assert done.returncode == 0, done.stderr
    assert b"ended" in done.stdout
    assert (b"typed" in done.stdout) == (stdin in ("pipe", "line"))
    # Nothing else was typed: where 0 was closed, no file of ours had come to be the terminal's input.
    assert len(done.stdout) < 100


@pytest.mark.parametrize("stdin", [b"", b"echo typed\n"])
def test_a_shell_is_told_the_end_of_an_input_that_ended_before_it_read(oci: Runtime, stdin: bytes) -> None:
    """It reads by letters, and makes its terminal so only when it has started: an end that was typed before is lost."""
    oci.spec["process"]["terminal"] = True
    oci.spec["process"]["args"] = ["sh", "-i"]
    oci.write()
    argv = [str(oci.program), "--root", str(oci.state), *run(oci)]
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=20, check=False, env=environment(oci))
    assert done.returncode == 0, done.stderr


def test_of_a_container_with_a_read_only_root_and_no_dev_of_its_own(oci: Runtime, at_terminal: Start) -> None:
    """The console's mount point is made before the root is closed."""
    gone = ("/dev", "/dev/shm", "/dev/mqueue")
    oci.spec["mounts"] = [entry for entry in oci.spec["mounts"] if entry["destination"] not in gone]
    oci.spec["root"]["readonly"] = True
    terminal = at_terminal(*run(oci), script="tty; touch /x; exit 3")
    terminal.expect("/dev/(pts/0|console)")
    terminal.expect("Read-only file system")
    assert terminal.wait() == 3


def test_where_ptmx_is_among_the_devices(oci: Runtime, at_terminal: Start) -> None:
    """containerd and moby list it for every privileged container: the terminal is the container's own."""
    oci.spec["linux"]["devices"] = [{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}]
    terminal = at_terminal(*run(oci), script="tty; /bin/busybox script -c /bin/tty /dev/null; exit 3")
    terminal.expect("/dev/(pts/0|console)")
    assert terminal.wait() == 3
