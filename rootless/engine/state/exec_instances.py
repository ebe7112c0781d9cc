"""Docker's exec instances: what `POST /containers/{id}/exec` makes, is started once and can be looked at afterwards.

    RUNTIME/c/<container>/exec/<64 hex id>/  config.json   what is to be executed; the directory is there with it
                                             state.json    pid, start_time, boot_id, monitor ...; or pid 0 and the error
                                             exit.json     by its monitor, as a container's
                                             attach        its monitor's socket

They go with their container, with the boot, KEPT_S after their end, and UNSTARTED_S after they were made and not started.
Whether one runs is not written: the kernel says so of (pid, start_time). The command line's `exec` has none.
"""

from __future__ import annotations

import os
import re
import time

from rootless import atomic
from rootless.errors import NotFound
from rootless.linux import process
from rootless.record import TYPE_CHECKING, Record
from rootless.storage import shape
from rootless.storage.containers.status import UNKNOWN, exit_code
from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store, make_directory

if TYPE_CHECKING:
    from typing import Any

KEPT_S = 300
"""How long one can be looked at after its end, as moby's execCommandGC."""
UNSTARTED_S = 3600
"""How long one is kept that nobody starts."""
_ID = re.compile("[0-9a-f]{64}")
_CONFIG = {
    "id": str, "container": str, "root": str, "argv": [str], "env": [str], "workdir": str, "user": str, "tty": bool,
    "privileged": bool, "stdin": bool, "stdout": bool, "stderr": bool, "detach_keys": str, "keys": str, "rows": int, "columns": int,
}  # fmt: skip
_STATE = {"pid": int, "start_time?": int, "boot_id?": str, "pid_namespace?": int, "exit_code?": int, "monitor_pid?": int,
          "monitor_start_time?": int}  # fmt: skip
_END = {"pid": int, "start_time": int, "status": int}


class ExecConfig(Record):
    """config.json. `stdin`, `stdout` and `stderr` are the streams that who starts it is to be attached to; rows and columns
    the terminal's size at first, 0: unset."""

    id: str
    container: str
    argv: list[str]
    env: list[str] = []
    workdir: str = ""
    user: str = ""
    tty: bool = False
    privileged: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    detach_keys: str = ""
    keys: str = ""  # its letters: what create() made of it
    rows: int = 0
    columns: int = 0


class ExecStatus(Record):
    """`state`: created, running or exited; the pid on the host of what runs; the exit code of what has ended, None before."""

    state: str
    pid: int = 0
    exit_code: int | None = None


def directory(store: Store, config: ExecConfig) -> str:
    """The instance's directory."""
    return f"{_of(store, config.container)}/{config.id}"


def _of(store: Store, container: str) -> str:
    return f"{store.runtime}/c/{container}/exec"


def write(store: Store, config: ExecConfig) -> None:
    """Make the instance's directory, complete or not at all; those that ended long ago go."""
    base = store.run_directory(config.container) + "/exec"
    make_directory(base)
    _sweep(base)
    new = f"{base}/.new-{config.id}"
    os.mkdir(new, 0o700)
    try:
        atomic.write_json(new + "/config.json", {**config._asdict(), "root": store.root}, durable=False)
        os.rename(new, f"{base}/{config.id}")
    except BaseException:
        remove_tree(new)
        raise


def read(store: Store, exec_id: str) -> ExecConfig:
    """The instance of this id, of whatever container; NotFound, in Docker's words."""
    gone = NotFound(f"No such exec instance: {exec_id}")
    if not _ID.fullmatch(exec_id):
        raise gone
    try:
        containers = os.listdir(store.runtime + "/c")
    except FileNotFoundError:
        raise gone from None
    for container in containers:
        path = f"{_of(store, container)}/{exec_id}"
        if not os.path.isdir(path) or not os.path.isdir(f"{store.containers}/{container}"):
            continue
        try:
            found = shape.read(path + "/config.json", _CONFIG)
        except (FileNotFoundError, ValueError):
            break
        if found.pop("root") != store.root or _is_over(path):
            break
        return ExecConfig(**{key: found[key] for key in ExecConfig._fields if key in found})
    raise gone


def unfinished(store: Store, container: str) -> list[str]:
    """Ids of the container's instances that run or are still to be started: ExecIDs of `inspect`."""
    base = _of(store, container)
    try:
        names = sorted(filter(_ID.fullmatch, os.listdir(base)))
    except FileNotFoundError:
        return []
    return [name for name in names if _status(f"{base}/{name}").state != "exited"]


def status(store: Store, config: ExecConfig) -> ExecStatus:
    """What the instance is doing now, derived from the files and the kernel."""
    return _status(directory(store, config))


def read_state(path: str) -> dict[str, Any] | None:
    """state.json of the instance's directory; None where it has not been started."""
    try:
        return dict(shape.read(path + "/state.json", _STATE))
    except FileNotFoundError:
        return None
    except ValueError:
        return {"pid": 0, "exit_code": UNKNOWN}  # damaged: nothing can be said of it, and it is not started again


def _status(path: str) -> ExecStatus:
    state = read_state(path)
    if state is None:
        return ExecStatus("created")
    pid, started = state["pid"], state.get("start_time", 0)
    if not pid:
        return ExecStatus("exited", exit_code=state.get("exit_code", UNKNOWN))
    here = state.get("boot_id") == process.boot_id() and state.get("pid_namespace") == process.pid_namespace()
    if here and process.alive(pid, started):
        return ExecStatus("running", pid)
    lives = here and process.alive(state.get("monitor_pid", 0), state.get("monitor_start_time", 0))
    # After the monitor's end it cannot be written any more.
    code = _recorded(path, pid, started)
    if code is not None:
        return ExecStatus("exited", exit_code=code)
    return ExecStatus("running", pid) if lives else ExecStatus("exited", exit_code=UNKNOWN)


def _recorded(path: str, pid: int, started: int) -> int | None:
    try:
        end = shape.read(path + "/exit.json", _END)
    except FileNotFoundError:
        return None
    except ValueError:
        return UNKNOWN
    code = exit_code(end["status"])
    return code if (end["pid"], end["start_time"]) == (pid, started) and code >= 0 else UNKNOWN


def _is_over(path: str) -> bool:
    """Whether it ended, or was made and never started, so long ago that it is not kept any more."""
    state = _status(path).state
    if state == "running":
        return False
    names, kept_s = (("exit.json", "state.json"), KEPT_S) if state == "exited" else (("config.json",), UNSTARTED_S)
    for name in names:
        try:
            return time.time() - os.stat(f"{path}/{name}").st_mtime > kept_s
        except FileNotFoundError:
            continue
    return False


def _sweep(base: str) -> None:
    for name in os.listdir(base):
        if _ID.fullmatch(name) and _is_over(f"{base}/{name}"):
            remove_tree(f"{base}/{name}")
