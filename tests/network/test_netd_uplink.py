"""The uplink as netd keeps it: a process that ends with netd, and whose end has a command run."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

from rootless.linux.signals import SENT_TO_JOBS
from rootless.network.hub import netd
from tests.harness import processes
from tests.need import need_program
from tests.network.hub_world import World, eventually, in_world, sleeper

need_program("ip")


def with_repair(world: World, script: str) -> Path:
    """Where a line is written for each repair."""
    lines = Path(world.netd.runtime, "repairs")
    lines.write_text("")
    world.netd = world.netd._replace(repair_hub=("sh", "-c", f"date +%s.%N >>{lines}; {script}"))
    return lines


def keep(world: World) -> tuple[int, int]:
    """A process as the uplink: its pid, and the other end of the pipe that it would end with."""
    pid = sleeper()
    read_end, write_end = os.pipe()
    pidfd = os.pidfd_open(pid)
    netd.ask(world.netd, "uplink 0 1", [pidfd, write_end])
    os.close(pidfd)
    os.close(write_end)
    return pid, read_end


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_its_end_has_it_repaired_once() -> None:
    def test(world: World) -> None:
        lines = with_repair(world, "exit 0")
        world.container(internal=True)
        pid, read_end = keep(world)
        assert netd.status(world.netd.runtime)["uplink"] == "on"
        end(pid)
        assert eventually(lambda: lines.read_text() != "")
        assert os.read(read_end, 1) == b"", "a process that has ended needs no pipe"
        pid, _ = keep(world)
        count = len(lines.read_text().splitlines())
        end(pid)
        assert eventually(lambda: len(lines.read_text().splitlines()) > count)

    in_world(test)


def test_a_repair_that_makes_none_is_tried_again_later_each_time() -> None:
    def test(world: World) -> None:
        lines = with_repair(world, "exit 1")
        world.container(internal=True)
        end(keep(world)[0])
        assert eventually(lambda: len(lines.read_text().splitlines()) == 4)
        times = [float(line) for line in lines.read_text().splitlines()]
        assert times[1] - times[0] > 0.2
        assert times[2] - times[1] > 0.9
        assert times[3] - times[2] > 2.9

    in_world(test)


def test_a_batch_system_tells_every_process_to_end() -> None:
    """Who runs the command is among them, and runs it still."""

    def test(world: World) -> None:
        lines = with_repair(world, "exit 0")
        world.container(internal=True)
        pid, _ = keep(world)
        netd_pid = world.pid()
        (runner,) = Path(f"/proc/{netd_pid}/task/{netd_pid}/children").read_text().split()
        processes.signal_as_of_a_job(netd_pid, int(runner))
        end(pid)
        assert eventually(lambda: lines.read_text() != "")

    in_world(test)


def test_the_command_is_bound_by_nothing_that_binds_netd() -> None:
    """It has the signals, system calls and capabilities that netd had at its start."""

    def test(world: World) -> None:
        status = Path(world.netd.runtime, "status")
        with_repair(world, f"grep -E 'Seccomp:|NoNewPrivs|CapEff|SigIgn' /proc/self/status >{status}.new; mv {status}.new {status}")
        world.container(internal=True)
        end(keep(world)[0])
        assert eventually(status.exists)
        found = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        assert (found["Seccomp"], found["NoNewPrivs"]) == ("0", "0")
        assert int(found["CapEff"], 16) == int(Path("/proc/self/status").read_text().split("CapEff:\t")[1].split()[0], 16)
        ignored = int(found["SigIgn"], 16)
        assert not any(ignored >> number - 1 & 1 for number in (*SENT_TO_JOBS, signal.SIGPIPE))

    in_world(test)


def test_a_container_that_needs_one_has_one_made() -> None:
    """Whoever made it was killed before netd was told, and others have seen it in the hub and gone on."""

    def test(world: World) -> None:
        lines = with_repair(world, "exit 1")
        world.container(internal=True)
        alone = world.container(internal=True)
        alone.end()
        assert eventually(lambda: len(world.listed()) == 1)
        assert lines.read_text() == ""
        world.container()
        assert eventually(lambda: len(lines.read_text().splitlines()) == 3), "until there is one"
        keep(world)
        assert netd.status(world.netd.runtime)["uplink"] == "on"

    in_world(test)


def test_it_ends_with_netd() -> None:
    def test(world: World) -> None:
        world.container()
        _, read_end = keep(world)
        os.kill(world.pid(), signal.SIGKILL)
        assert select.select([read_end], [], [], 60)[0]
        assert os.read(read_end, 1) == b""

    in_world(test)
