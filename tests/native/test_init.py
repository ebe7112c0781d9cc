"""The container's init, as PID 1 of a pid namespace and as an ordinary process."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.need import need


@pytest.fixture(params=["pid 1", "ordinary"])
def init(request: pytest.FixtureRequest, helpers: Path) -> list[str]:
    """How to start it."""
    if request.param == "ordinary":
        return [str(helpers / "rootless-init"), "--"]
    unshare = ["unshare", "-Urpf", "--mount-proc", "--kill-child"]
    possible = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    need(possible, "unshare -Urpf --mount-proc does not work here")
    return [*unshare, str(helpers / "rootless-init"), "--"]


def run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)


def test_status(init: list[str]) -> None:
    assert run([*init, "sh", "-c", "exit 42"]).returncode == 42
    assert run([*init, "true"]).returncode == 0
    assert run([*init, "sh", "-c", "kill -USR1 $$"]).returncode == 128 + signal.SIGUSR1
    assert run([*init, "sh", "-c", "kill -KILL $$"]).returncode == 128 + signal.SIGKILL


def test_command_that_cannot_run(init: list[str], tmp_path: Path) -> None:
    missing = run([*init, "/no/such/program"])
    assert missing.returncode == 127
    assert missing.stderr == "rootless-init: cannot run /no/such/program: No such file or directory\n"
    plain = tmp_path / "plain"
    plain.write_text("")
    assert run([*init, str(plain)]).returncode == 126
    assert run([init[-2]]).returncode == 2 if len(init) == 2 else True


def test_a_group_and_clean_signals_for_the_command(init: list[str]) -> None:
    script = "cut -d' ' -f1,5 /proc/self/stat; grep -E 'Sig(Blk|Ign)' /proc/self/status"
    lines = run([*init, "python3", "-c", f"import os; os.execvp('sh', ['sh', '-c', {script!r}])"])
    assert "SigBlk:\t0000000000000000" in lines.stdout
    group = run([*init, "sh", "-c", "echo $$ $(ps -o pgid= -p $$)"]).stdout.split()
    assert group[0] == group[1]


def test_reaps_orphans(init: list[str]) -> None:
    script = (
        "echo $PPID; for i in 1 2 3 4 5; do (sleep 0.1 & echo $!); done; sleep 0.5; "
        "grep -sh -E '^(PPid|State|Name)' /proc/[0-9]*/status"
    )
    done = run([*init, "sh", "-c", script])
    lines = done.stdout.splitlines()
    parent, orphans = lines[0], lines[1:6]
    assert len(set(orphans)) == 5
    found = [" ".join(lines[at : at + 3]).split() for at in range(6, len(lines), 3)]
    ours = [fields for fields in found if fields[-2:] == ["PPid:", parent]]
    assert [fields[1] for fields in ours] == ["sh"], "the command, and no zombies beside it"


def test_forwards_signals(helpers: Path) -> None:
    script = 'trap "echo hup" HUP; trap "echo usr; exit 9" USR2; echo ready; while :; do sleep 0.05; done'
    argv = [str(helpers / "rootless-init"), "sh", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "hup\n"
        process.send_signal(signal.SIGUSR2)
        assert process.stdout.readline() == "usr\n"
        assert process.wait(60) == 9


def test_realtime_signals_and_terminate(helpers: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGRTMIN + 3):
        with subprocess.Popen([str(helpers / "rootless-init"), "sleep", "100"]) as process:
            time.sleep(0.2)
            process.send_signal(number)
            assert process.wait(60) == 128 + number


def test_terminal_interrupt_reaches_the_command(helpers: Path) -> None:
    pid, master = pty.fork()
    if pid == 0:
        os.execv(helpers / "rootless-init", ["rootless-init", "sleep", "100"])
    try:
        time.sleep(0.3)
        os.write(master, b"\x03")
        deadline = time.monotonic() + 60
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        os.close(master)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGINT
