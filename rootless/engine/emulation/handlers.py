"""The handlers of foreign programs: the host's where it has one, else ours, in the session's user namespace.

Nothing is written anywhere: the instance of binfmt_misc lives as long as a monitor of a container that needs it holds
its directory open, and is made again by the next start. It hides the host's instance from the session, so the host's
handlers are registered in it, too.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from rootless.engine.emulation import interpreters
from rootless.engine.emulation.architectures import ARCHITECTURES, Architecture
from rootless.errors import NotSupported, RootlessError
from rootless.linux import binfmt_misc
from rootless.linux import mount as m
from rootless.linux import namespace as n
from rootless.linux.binfmt_misc import Handler
from rootless.linux.process import set_pdeathsig
from rootless.runtime import sync

_BY_ADMINISTRATOR = (
    "the administrator can: `apt install qemu-user-static binfmt-support` (Debian, Ubuntu) or `dnf install qemu-user-static`"
)
_OTHERWISE = "or build for it without running it: `FROM --platform=$BUILDPLATFORM` and a cross compiler"


def ensure(name: str) -> tuple[int, ...]:
    """Have programs of the architecture `name` executed in the session's namespaces, which the caller has joined.

    Descriptors that keep the handlers, the caller's to hold as long as they are needed; none where the host has its
    own. NotSupported, with what can be done, where there is no interpreter or the kernel is too old.
    """
    architecture = ARCHITECTURES[name]
    if of_host(architecture) is not None:
        return ()
    interpreter = interpreters.find(architecture)
    if interpreter is None:
        raise NotSupported(
            f"this machine cannot run programs for {name}: no qemu-{architecture.qemu}-static",
            hint=f"`rootless binfmt install {name}` gets it into your home; {_BY_ADMINISTRATOR}",
        )
    magic, mask = architecture.magic()
    wanted = [Handler(f"qemu-{architecture.qemu}", interpreter, magic, mask), *binfmt_misc.of_host()]
    return (_open_instance(name, wanted),)


def check_kernel() -> None:
    """NotSupported where this kernel gives the session, which the caller has joined, no binfmt_misc of its own."""
    os.close(_open_instance("other architectures", []))


def of_host(architecture: Architecture) -> Handler | None:
    """The host's handler for that architecture that also works in a container: one whose interpreter is open (F)."""
    magic, _ = architecture.magic()
    for handler in binfmt_misc.of_host():
        if handler.offset == 0 and "F" in handler.flags and _matches(handler, magic):
            return handler
    return None


def _matches(handler: Handler, magic: bytes) -> bool:
    if len(handler.magic) > len(magic) or len(handler.magic) != len(handler.mask):
        return False
    return all((ours ^ theirs) & mask == 0 for ours, theirs, mask in zip(magic, handler.magic, handler.mask, strict=False))


def _open_instance(name: str, wanted: list[Handler]) -> int:
    """The session's instance with those handlers. Mounted by a child in a mount namespace of its own: nothing shows."""
    ours, theirs = sync.pair()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            set_pdeathsig(9)
            n.unshare(n.CLONE_NEWNS)
            m.mount(None, "/", None, m.MS_REC | m.MS_PRIVATE, None)
            _make_read_only([handler.interpreter for handler in wanted])
            theirs.send("done", {}, (_registered(name, wanted),))
        except (OSError, RootlessError) as error:
            theirs.send_error(error, step="register a handler in binfmt_misc")
        finally:
            os._exit(0)
    theirs.close()
    try:
        return ours.expect("done").fds[0]
    finally:
        ours.close()
        os.waitpid(child, 0)


def _make_read_only(interpreters: list[str]) -> None:
    """Mount each of those files over itself, read-only. A container's root may own the file, and reaches it by
    /proc/PID/exe, as CVE-2019-5736: what it reaches that way is of this mount, so it cannot be written to."""
    for path in interpreters:
        with suppress(FileNotFoundError):
            m.mount(path, path, None, m.MS_BIND, None)
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                m.mount_setattr(fd, "", m.AT_EMPTY_PATH, m.MOUNT_ATTR_RDONLY)
            finally:
                os.close(fd)


def _registered(name: str, wanted: list[Handler]) -> int:
    try:
        instance = binfmt_misc.open_instance()
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise NotSupported(
                f"this machine cannot run programs for {name}: its kernel has no binfmt_misc",
                hint="the administrator can: `modprobe binfmt_misc`",
            ) from None
        if error.errno == errno.EPERM:
            release = os.uname().release
            raise NotSupported(
                f"this machine cannot run programs for {name}: Linux {release} gives users no binfmt_misc of their own (6.7)",
                hint=f"{_BY_ADMINISTRATOR};\n{_OTHERWISE}",
            ) from None
        raise
    there = binfmt_misc.names(instance)
    for position, handler in enumerate(wanted):
        if handler.name in there:
            continue
        try:
            binfmt_misc.register(instance, handler)
        except (OSError, ValueError) as error:
            if position == 0:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise NotSupported(f"the kernel takes no handler for {name} with {handler.interpreter}: {reason}") from None
            # One of the host's, whose interpreter is gone from its path: there is no way to keep it.
    return instance
