"""`top`: the processes of a container as ps(1) of the host sees them."""

from __future__ import annotations

import os
import shutil
import subprocess

from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.engine.state.processes import pids
from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.storage.store import Store

DEFAULT_OPTIONS = ["-ef"]
_TIMEOUT_S = 20
_OF_THE_TERMINAL = ("COLUMNS", "LINES", "PS_FORMAT", "PS_PERSONALITY", "CMD_ENV", "I_WANT_A_BROKEN_PS")


def processes(store: Store, identifier: str, options: list[str]) -> tuple[list[str], list[list[str]]]:
    """Column titles and rows for `ps OPTIONS`, only the container's processes; the last column may
    hold blanks. Writes the event top. Conflict where it does not run, InvalidInput where ps refuses the options."""
    ps = shutil.which("ps")
    if ps is None:
        raise NotSupported(
            "`ps` is not installed on this host",
            hint=f"install procps; or the container's own, if it has one: rootless exec {identifier[:12]} ps",
        )
    with running.require(store, identifier) as found:
        wanted = [str(pid) for pid in pids(found.pid)]
    done = _ps(ps, options or DEFAULT_OPTIONS, ",".join(wanted))
    if done.returncode:
        raise InvalidInput(f"error running ps: {(done.stderr.strip().splitlines() or ['failed'])[0]}")
    lines = done.stdout.splitlines()
    titles = lines[0].split() if lines else []
    events.container(store, "top", read_config(store, identifier))
    if "PID" not in titles:
        raise NotFound("Couldn't find PID field in ps output", hint="add pid to the columns: -o pid,args")
    at = titles.index("PID")
    rows = [line.split(None, len(titles) - 1) for line in lines[1:]]
    return titles, [row for row in rows if len(row) > at and row[at] in wanted]


def _ps(program: str, options: list[str], wanted: str) -> subprocess.CompletedProcess[str]:
    """ps with the options, asked for just these processes: left to itself it shows those of its own terminal
    and user. -q, as Docker; some options (f) do not go with it, and another ps than procps' knows neither."""
    environment = {key: value for key, value in os.environ.items() if key not in _OF_THE_TERMINAL}
    for choice in (["-q", wanted], ["-p", wanted], []):
        done = subprocess.run(
            [program, *options, *choice], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_TIMEOUT_S, env=environment, start_new_session=True,
        )  # fmt: skip
        if not done.returncode:
            break
    return done
