"""`top`: the processes of a container as ps(1) of the host sees them."""

from __future__ import annotations

import shutil
import subprocess

from rootless.engine.life.stop import pids
from rootless.engine.state import running
from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.storage.store import Store

DEFAULT_OPTIONS = ["-ef"]
_TIMEOUT_S = 20


def processes(store: Store, identifier: str, options: list[str]) -> tuple[list[str], list[list[str]]]:
    """Column titles and rows for `ps OPTIONS`, only the container's processes; the last column may
    hold blanks. Conflict where it does not run, InvalidInput where ps refuses the options."""
    ps = shutil.which("ps")
    if ps is None:
        raise NotSupported("`ps` is not installed on this host", hint="install procps")
    with running.require(store, identifier) as found:
        wanted = {str(pid) for pid in pids(found.pid)}
    done = subprocess.run(
        [ps, *(options or DEFAULT_OPTIONS)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        raise InvalidInput(f"error running ps: {(done.stderr.strip().splitlines() or ['failed'])[0]}")
    lines = done.stdout.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise NotFound("Couldn't find PID field in ps output", hint="add pid to the columns: -o pid,args")
    at = titles.index("PID")
    rows = [line.split(None, len(titles) - 1) for line in lines[1:]]
    return titles, [row for row in rows if len(row) > at and row[at] in wanted]
