"""What a launch does and has done, on stderr: for `rootless --debug`. Imported only then."""

from __future__ import annotations

import sys

from rootless.record import TYPE_CHECKING
from rootless.words import plain

if TYPE_CHECKING:
    from rootless.runtime.launch.init import InitConfig


def before(config: InitConfig, maps: tuple[str, str]) -> None:
    """The steps that the init will take, in their order, before there is a process."""
    _say(f"ids: uid {_map(maps[0])}, gid {_map(maps[1])}")
    for step in config.plan:
        _say(f"step: {step.describe()}")
    _say(f"command: {' '.join(str(word) for word in config.spec['process'].get('args') or [])}")


def after(pid: int, monitor_pid: int) -> None:
    """What there is once the command has been executed."""
    _say(f"started: pid {pid}, monitor {monitor_pid}")


def _map(text: str) -> str:
    return ", ".join("{} is {} ({})".format(*line.split()) for line in text.splitlines() if line.strip()) or "as the caller's"


def _say(text: str) -> None:
    sys.stderr.write(f"debug: {plain(text)}\n")
