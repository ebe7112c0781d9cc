"""Runs `doctor`'s probes: each in a forked child of its own, all at once, none for long.

A probe that hangs (a dead NFS server, a stuck D-Bus) costs its own line and nothing else. What
probes start is killed and reaped at the end, wherever it was reparented to.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from rootless.engine.doctor.result import ProbeResult, ProbeStatus, error, warning
from rootless.engine.doctor.scratch import Scene
from rootless.errors import RootlessError
from rootless.finding import Finding
from rootless.linux.process import children_by_parent, set_child_subreaper, set_pdeathsig

TIMEOUT_S = 20.0
MAX_ANSWER_BYTES = 1 << 20


class Probe(NamedTuple):
    """A test by name. `essential`: no container can run where it fails or hangs. `needs`: another
    probe's name; where that one failed, what this one complains about is the same thing again."""

    name: str
    run: Callable[[Scene], ProbeResult | list[ProbeResult]]
    essential: bool = False
    needs: str = ""


class _Running(NamedTuple):
    probe: Probe
    pid: int
    answer_fd: int
    noise_fd: int


def run_all(probes: Sequence[Probe], scene: Scene, *, timeout_s: float = TIMEOUT_S) -> list[ProbeResult]:
    """The results of all probes, in their order; a probe comes after the one it needs."""
    sys.stdout.flush()
    sys.stderr.flush()
    others = frozenset(_children())
    set_child_subreaper()
    running = [_start(probe, scene) for probe in probes]
    answers = _collect(running, time.monotonic() + timeout_s)
    results: list[ProbeResult] = []
    failed: set[str] = set()
    for each in running:
        found = _results(each, answers[each.answer_fd], timeout_s)
        if each.probe.needs in failed:
            found = [result for result in found if result.status is ProbeStatus.OK]
        if any(result.status is ProbeStatus.ERROR for result in found):
            failed.add(each.probe.name)
        results += found
        os.close(each.answer_fd)
        os.close(each.noise_fd)
    _end_descendants(others)
    set_child_subreaper(False)
    return results


def _start(probe: Probe, scene: Scene) -> _Running:
    answer_r, answer_w = os.pipe()
    noise = os.memfd_create("doctor")
    pid = os.fork()
    if pid == 0:
        _child(probe, scene, answer_w, noise)
    os.close(answer_w)
    return _Running(probe, pid, answer_r, noise)


def _child(probe: Probe, scene: Scene, answer_fd: int, noise_fd: int) -> NoReturn:
    """Runs the probe; whatever it prints, or a traceback, goes to `noise_fd`."""
    try:
        set_pdeathsig(signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(noise_fd, 1)
        os.dup2(noise_fd, 2)
        try:
            found = probe.run(scene)
        except (RootlessError, OSError) as problem:
            found = _failed(probe, problem)
        # A line, not an end of file: what the probe started may hold the pipe open for long.
        answer = json.dumps(found if isinstance(found, list) else [found]).encode() + b"\n"
        while answer:
            answer = answer[os.write(answer_fd, answer) :]
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a forked child reports all and never returns
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(1)


def _failed(probe: Probe, problem: RootlessError | OSError) -> ProbeResult:
    what, finding = str(problem), Finding("")
    if isinstance(problem, RootlessError):
        finding = problem.finding or Finding("", fix_user=problem.hint or "")
    else:
        what = f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror or what
    if probe.essential:
        return error(probe.name, what, "no container can run", finding.fix_user, finding.fix_admin)
    return warning(probe.name, what, "this could not be tested", finding.fix_user, finding.fix_admin)


def _collect(running: Sequence[_Running], deadline: float) -> dict[int, bytes | None]:
    """What each probe answered; None for those that did not end in time."""
    answers: dict[int, bytes | None] = {each.answer_fd: None for each in running}
    parts: dict[int, bytes] = {each.answer_fd: b"" for each in running}
    poll = select.poll()
    for fd in parts:
        poll.register(fd, select.POLLIN)
    waiting = set(parts)
    while waiting and (left := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            chunk = os.read(fd, 65536)
            parts[fd] += chunk
            if not chunk or chunk.endswith(b"\n") or len(parts[fd]) > MAX_ANSWER_BYTES:
                answers[fd] = parts[fd]
                poll.unregister(fd)
                waiting.discard(fd)
    return answers


def _results(each: _Running, answer: bytes | None, timeout_s: float) -> list[ProbeResult]:
    name, essential = each.probe.name, each.probe.essential
    bad = error if essential else warning
    effect = "no container can run" if essential else "this could not be tested"
    if answer is None:
        return [bad(name, f"the test did not end within {timeout_s:g} seconds", effect,
                    "look for a network file system or service that does not answer")]  # fmt: skip
    try:
        rows = json.loads(answer)
    except ValueError:
        noise = os.pread(each.noise_fd, 4096, max(0, os.fstat(each.noise_fd).st_size - 4096)).decode(errors="replace").strip().splitlines()
        return [bad(name, f"the test broke: {noise[-1] if noise else 'it said nothing'}", effect)]
    return [ProbeResult(name, ProbeStatus(status), Finding(*finding)) for name, status, finding in rows]


def _end_descendants(others: frozenset[int]) -> None:
    """Kill what probes left (the session's holder detaches itself) and reap; bounded in time.

    Not `others`, the children we had before: the program that executed us may have left some.
    """
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        left = [pid for pid in _children() if pid not in others]
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        time.sleep(0.002)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:  # no CONFIG_PROC_CHILDREN: look at everybody's parent
        return children_by_parent().get(os.getpid(), [])
