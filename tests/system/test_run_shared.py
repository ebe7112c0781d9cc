"""`run --shared`: one container for the ranks of a step, each with its own words, streams, signals and end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.harness import processes, ranks
from tests.harness.command import Rootless
from tests.need import need_program

SHARED = ("run", "--shared=step", "--network", "none")


def said(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


def sockets(rootless: Rootless) -> list[str]:
    """What is left of shared containers in RUNTIME."""
    return [name for name in os.listdir(rootless.sockets / "shared") if name != "lock"]


def test_ranks(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """Eight of them, at once: one container in which each reads another's memory, and what is each one's own."""
    program = ranks.program(tmp_path)
    (tmp_path / "work").mkdir()
    run = (*SHARED, "-v", f"{program}:/rank:ro", "-v", f"{tmp_path}/work:/work", "-e", "ONE")
    script = """readlink /proc/self/ns/user; readlink /proc/self/ns/pid; pwd; echo $SLURM_PROCID $ONE $OTHER
read line; echo $line; /rank cma /work 8; exit $SLURM_PROCID"""
    started = []
    for rank in range(8):
        env = {"SLURM_PROCID": str(rank), "ONE": f"one-{rank}", "OTHER": "not to be seen"}
        where = ("-w", "/work") if rank % 2 else ()
        process = rootless.start(*run, *where, busybox_image, "sh", "-c", script, env=env)
        assert process.stdin is not None
        process.stdin.write(f"for {rank}\n".encode())
        process.stdin.flush()
        started.append(process)
    ended = [said(process) for process in started]
    assert [status for status, _, _ in ended] == [*range(8)], ended
    assert {err for _, _, err in ended} == {""}
    lines = [out.splitlines() for _, out, _ in ended]
    assert len({(user, pid) for user, pid, *_ in lines}) == 1
    assert [rest for _, _, *rest in lines] == [
        ["/work" if rank % 2 else "/", f"{rank} one-{rank}", f"for {rank}", f"{rank} read {chr(ord('a') + (rank + 1) % 8)}"]
        for rank in range(8)
    ]
    assert rootless("ps", "-aq").lines == []
    assert sockets(rootless) == []


def test_one_that_is_kept(rootless: Rootless, busybox_image: str) -> None:
    """--keep is in the container without a command: what one command leaves is there for the next, until a signal comes or PID 1 ends."""
    for end in (lambda keeper, _: keeper.terminate(), lambda _, pid: os.kill(pid, signal.SIGKILL)):
        keeper = rootless.start(*SHARED, "--keep", busybox_image)
        assert keeper.stdout is not None
        identifier = keeper.stdout.readline().decode().strip()
        rootless(*SHARED, busybox_image, "sh", "-c", "test ! -e /left && echo here > /left")
        assert rootless(*SHARED, busybox_image, "cat", "/left").stdout == "here\n"
        assert rootless("ps", "-q", "--no-trunc").lines == [identifier]
        pid = int(rootless("inspect", "-f", "{{.State.Pid}}", identifier).stdout)
        end(keeper, pid)
        assert said(keeper) == (0, "", "")
        processes.wait_until(lambda: rootless("ps", "-aq").lines == [], "the container is removed")
    for words in (("--shared", "--keep", busybox_image, "true"), ("--keep", busybox_image)):
        assert "--keep" in rootless("run", *words, status=125).stderr


def test_one_that_is_saved(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """--save: the last of those that have it writes the container's files, while another one is still in it; what they make is an image."""
    for program in ("sqfstar", "squashfuse_ll"):
        need_program(program)
    target = tmp_path / "saved.sqsh"
    waiting = rootless.start(*SHARED, "-v", f"{tmp_path}:/mounted", busybox_image, "sh", "-c", "echo up; read line")
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"up\n"
    save = (*SHARED, "-v", f"{tmp_path}:/mounted", "--save", target, busybox_image, "sh", "-c")
    script = """echo one >/of-first; chown 33:44 /of-first; chmod 640 /of-first; echo no >/mounted/not-in-it
        echo up; read line; exit 3"""
    first, second = (rootless.start(*save, script) for _ in range(2))
    for process in (first, second):
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
    assert said(first) == (3, "", "")
    assert not target.exists(), "there is one who saves still"
    done = said(second)
    assert done == (3, "", ""), done
    look = "stat -c '%u:%g %a' /of-first; cat /of-first; ls /mounted"
    assert rootless("run", "--rm", "--network", "none", target, "sh", "-c", look).stdout == "33:44 640\none\n"
    assert said(waiting) == (1, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["not-in-it", "saved.sqsh"]
    for no_file in (tmp_path / "no/such", tmp_path):  # said before the command has run
        refused = rootless(*SHARED, "--save", no_file, busybox_image, "echo", "ran", status=125)
        assert "cannot write" in refused.stderr
        assert refused.stdout == ""
    assert sockets(rootless) == []
    assert "--save" in rootless("run", "--save", target, busybox_image, status=125).stderr


def test_signals_and_what_is_seen(rootless: Rootless, busybox_image: str) -> None:
    """A signal is one rank's; the container is one, is no other step's, and stays until the last rank has gone."""
    trap = "trap 'echo told; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    first, second = (rootless.start(*SHARED, busybox_image, "sh", "-c", trap) for _ in range(2))
    other = rootless.start("run", "--shared=other", "--network", "none", busybox_image, "sh", "-c", trap)
    for process in (first, second, other):
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
    assert len(rootless("ps", "-q").lines) == 2
    shown = json.loads(rootless("inspect", *rootless("ps", "-q").lines).stdout)
    assert {one["Config"]["Cmd"][0] for one in shown} == {"rootless-init"}
    first.send_signal(signal.SIGTERM)
    assert said(first) == (5, "told\n", "")
    assert second.poll() is None
    assert len(rootless("ps", "-q").lines) == 2
    # As a batch system does at the end of a job: the container's own process is told, too, and leaves it to the ranks.
    for one in shown:
        os.kill(one["State"]["Pid"], signal.SIGTERM)
    for process in (second, other):
        process.send_signal(signal.SIGTERM)
        assert said(process)[:2] == (5, "told\n")
    assert rootless("ps", "-aq").lines == []
    late = rootless.start(*SHARED, busybox_image, "sh", "-c", "echo up; exec sleep 1000")
    assert late.stdout is not None
    assert late.stdout.readline() == b"up\n"
    rootless("stop", *rootless("ps", "-q").lines)
    assert said(late)[0] == 137


def test_a_descriptor_to_the_process_manager(rootless: Rootless, busybox_image: str) -> None:
    """PMI_FD, with its number, and nothing else that was open: not a directory of that name either."""
    ours, theirs = socket.socketpair()
    with ours, theirs, open("/dev/null", "rb") as other:
        fds = (theirs.fileno(), other.fileno())
        told = rootless.start(*SHARED, busybox_image, "sh", "-c", 'echo "$PMI_RANK" >&$PMI_FD; ls /proc/self/fd | wc -l',
                              env={"PMI_FD": str(fds[0]), "PMI_RANK": "3"}, pass_fds=fds)  # fmt: skip
        status, out, err = said(told)
        assert (status, out) == (0, "5\n"), err  # stdin, stdout, stderr, the socket, and that of the list
        assert ours.recv(100) == b"3\n"
        directory = os.open("/", os.O_RDONLY)
        try:
            told = rootless.start(*SHARED, busybox_image, "sh", "-c", "ls /proc/self/fd | wc -l",
                                  env={"PMI_FD": str(directory)}, pass_fds=(directory,))  # fmt: skip
            assert said(told)[:2] == (0, "4\n")
        finally:
            os.close(directory)


def test_errors_are_each_ones(rootless: Rootless, busybox_image: str) -> None:
    """Why there is no container is what all hear; what one command does wrong is its own."""
    wrong = [rootless.start(*SHARED, "-v", "/no/such/directory:/x", busybox_image, "true") for _ in range(4)]
    for status, out, err in map(said, wrong):
        assert (status, out) == (125, "")
        assert "/no/such/directory" in err
    rootless("run", "--shared", "--network", "none", busybox_image, "no-such-command", status=127)
    assert "--shared and --memory" in rootless("run", "--shared", "--memory", "1g", busybox_image, "true", status=125).stderr
    assert "pid namespace" in rootless("run", "--shared", "--pid", "host", busybox_image, "true", status=125).stderr
    # The environment of the command, where it is asked for; the image's words are the image's.
    lines = rootless("run", "--shared", "--network", "none", "--env-host", busybox_image, "env", env={"MINE": "here", "PATH": "/x"}).lines
    assert "MINE=here" in lines
    assert "PATH=/x" not in lines
    assert rootless("ps", "-aq").lines == []
    assert sockets(rootless) == []


def test_killed_at_any_instant(rootless: Rootless, busybox_image: str) -> None:
    """Whoever dies, before, while or after it makes the container, the others come in, and nothing is left."""
    for step in range(6):
        victim = rootless.start(*SHARED, busybox_image, "cat", start_new_session=True)
        others = [rootless.start(*SHARED, busybox_image, "sh", "-c", "echo in; cat") for _ in range(2)]
        time.sleep(0.07 * step)
        if step % 2:  # with the child that makes the container
            os.killpg(victim.pid, signal.SIGKILL)
        else:
            victim.kill()
        for other in others:
            told = said(other)
            assert told[:2] == (0, "in\n"), told
        victim.wait()
    # The last one, too.
    last = rootless.start(*SHARED, busybox_image, "sh", "-c", "echo in; exec sleep 1000")
    assert last.stdout is not None
    assert last.stdout.readline() == b"in\n"
    last.kill()
    processes.wait_until(lambda: rootless("ps", "-aq").lines == [], "nothing is left")
    rootless(*SHARED, busybox_image, "true")
    assert rootless("ps", "-aq").lines == []
    assert sockets(rootless) == []
