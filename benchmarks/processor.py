"""`python -m benchmarks.processor COMMAND...` runs COMMAND, waits for every process that came of it, also for those that outlive it, and
prints what they used together: seconds of processor time, and how often they gave the processor up themselves. What COMMAND starts for
good (a session) would be waited for: it runs before."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36


class Used(NamedTuple):
    """Of all processes; what others do on the machine changes the switches hardly, the time somewhat, and neither as it does the clock."""

    seconds: float
    switches: int


def used(argv: list[str], environment: dict[str, str], *, timeout_s: float = 1800) -> Used:
    """What `argv` uses. RuntimeError, with its stderr, if it fails."""
    program = [sys.executable, "-m", "benchmarks.processor", *argv]
    search = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        program, env={**environment, "PYTHONPATH": search}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=timeout_s, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.returncode}: {done.stderr}")
    seconds, switches = done.stdout.split()
    return Used(float(seconds), int(switches))


def main() -> int:
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER)")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    child = subprocess.Popen(sys.argv[1:], env=environment, stdout=subprocess.DEVNULL)
    status = 1
    while True:
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            break
        if pid == child.pid:
            status = os.waitstatus_to_exitcode(ended)
    whole = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(whole.ru_utime + whole.ru_stime, whole.ru_nvcsw)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
