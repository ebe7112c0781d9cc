"""Writing limits to a cgroup, and taking them back where one is refused. Hot path."""

from __future__ import annotations

import errno

from rootless.cgroup import cgroupfs
from rootless.cgroup.limits import MAXIMUM, Setting
from rootless.errors import InvalidInput, NotSupported, RootlessError

# Of iocost and of BFQ: a kernel has one of them, or both.
_WEIGHTS = ("io.weight", "io.bfq.weight")


def apply(path: str, settings: list[Setting]) -> None:
    """Write `settings` to the cgroup `path`. A RootlessError names the limit that the kernel refuses;
    then what was written before is as it was."""
    undo: list[tuple[str, str]] = []
    if any(setting.file in _WEIGHTS for setting in settings):
        from rootless.cgroup import io_weights

        io_weights.require(settings)
    try:
        for setting in ordered(path, settings):
            for file in _files(path, setting):
                before = cgroupfs.read(path, file)
                for value in setting.values:
                    undo.append((file, _restored(file, before, value)))
                    _write(path, file, value, setting)
    except RootlessError:
        for file, value in reversed(undo):
            try:
                cgroupfs.write(f"{path}/{file}", value)
            except OSError:
                continue
        raise


def ordered(path: str, settings: list[Setting]) -> list[Setting]:
    """The kernel checks each file for itself in cgroup v2; nothing depends on order but that limits
    which grow come before those which shrink, so that a container is never squeezed in between."""

    def shrinks(setting: Setting) -> bool:
        before, after = cgroupfs.read(path, setting.file), setting.values[-1]
        if after == MAXIMUM or not after.isdecimal():
            return False
        return not before.isdecimal() or int(after) < int(before)

    return sorted(settings, key=shrinks)


def _files(path: str, setting: Setting) -> tuple[str, ...]:
    """Where the setting is written: a weight of I/O to each file that there is, as systemd does."""
    if setting.file not in _WEIGHTS or ".unified[" in setting.limit:
        return (setting.file,)
    return tuple(file for file in _WEIGHTS if cgroupfs.read(path, file)) or (setting.file,)


def _restored(file: str, before: str, value: str) -> str:
    device = value.split()[0] if value else ""
    if file in ("io.weight", "io.bfq.weight") and device != "default":
        return f"{device} default"
    if file != "io.max":
        return before.splitlines()[0] if before else MAXIMUM
    for line in before.splitlines():
        if line.startswith(device + " "):
            return line
    return f"{device} rbps=max wbps=max riops=max wiops=max"


def _write(path: str, file: str, value: str, setting: Setting) -> None:
    if file != setting.file:
        from rootless.cgroup.io_weights import of_bfq

        device, weight = value.split()
        value = f"{device} {of_bfq(int(weight))}"
    try:
        cgroupfs.write(f"{path}/{file}", value)
    except OSError as error:
        option = setting.asked_as
        if error.errno == errno.ENOENT and cgroupfs.exists(path):
            if setting.default:
                return
            raise NotSupported(
                f"{option} cannot be set: this kernel has no {file}",
                hint="it lacks what the limit is made of (swap accounting, an I/O scheduler with weights)",
            ) from None
        if error.errno in (errno.EINVAL, errno.ERANGE, errno.ENODEV, errno.EOPNOTSUPP) and cgroupfs.exists(path):
            raise InvalidInput(f"{option}: the kernel refuses '{value}' in {file}: {error.strerror}") from None
        if error.errno == errno.EBUSY:
            raise InvalidInput(f"{option}: '{value}' is less than the container already uses") from None
        raise cgroupfs.gone(path, error) from None
