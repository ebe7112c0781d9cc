"""What an image file of enroot says about running it (its doc/image-format.md): /etc/environment has the image's variables, one a line,
and /etc/rc, a script, starts its entrypoint and command.

Whoever made the file chose all of it. The variables are a container's as those of any image; the script runs in the container
alone. Read they are by a process of its own, since squashfuse_ll, which the same file may have taken over, need never answer.
Imported where an image file is run, or made of a container.
"""

from __future__ import annotations

import os
import select
import stat

from rootless import atomic
from rootless.engine.files.mounts import image_file
from rootless.errors import InvalidInput
from rootless.image import run_config
from rootless.image.run_config import RunConfig
from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from rootless.runtime import child
from rootless.runtime.descriptors import close_all
from rootless.runtime.squashfs import connect, header

_ENVIRONMENT, _RC = "etc/environment", "etc/rc"
_SHELL = "/bin/sh"
_LIMIT_BYTES = 1 << 20
_ANSWER_S = 30
_WITHOUT_RC, _WITH_RC, _FAILED = 0, 1, 2


def read(path: str) -> RunConfig:
    """What the image file at `path` says; nothing for a SIF file, whose scripts are Apptainer's. The session is joined. Raises as
    `connect.borrow`, InvalidInput for a directory and where the files cannot be read, Corrupt for variables that cannot be some."""
    if os.path.isdir(path):
        raise InvalidInput(f"{path} is a directory", hint=f"to run what is in it: rootless run --rootfs {path} COMMAND")
    image = image_file.at(path)
    fd = connect.open_image(image)
    try:
        if header.is_sif(fd):
            return RunConfig()
    finally:
        os.close(fd)
    borrowed = connect.borrow(image)
    try:
        data, has_rc = _ask(borrowed.mount, path)
    finally:
        close_all((borrowed.mount, borrowed.connection))
    config: dict[str, list[str]] = {"Env": variables(data.decode(errors="replace"))}
    if has_rc:
        config["Cmd"] = [_SHELL, f"/{_RC}"]
    return run_config.read(config, what=f"{path}: /{_ENVIRONMENT}")


def variables(text: str) -> list[str]:
    """The NAME=VALUE of an /etc/environment as enroot reads it: without comments, what is no variable, its own settings (ENROOT_...), and
    quotes around a value. `${NAME}` stays as it is: the caller's own variables are not for an image to ask for."""
    found = []
    for line in text.split("\n"):
        name, equals, value = line.lstrip().partition("=")
        if not equals or not (name.isascii() and name.isidentifier()) or name.startswith("ENROOT_"):
            continue
        bare = value.rstrip()
        if len(bare) > 1 and bare[0] in "\"'" and bare[-1] in "\"'":
            value = bare[1:-1]
        found.append(f"{name}={value}")
    return found


def write(root_fd: int, image: RunConfig) -> None:
    """Have in a container's root what `read` finds in an image file, as `enroot import` writes it: the variables of `image`, after what
    /etc/environment has besides, and an /etc/rc where there is none. OSError."""
    try:
        os.mkdir("etc", 0o755, dir_fd=root_fd)
    except FileExistsError:
        pass
    etc = openat2(root_fd, "etc", os.O_RDONLY | os.O_DIRECTORY, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    try:
        lines = [_line(word.text) for word in image.env]
        ours = [line for line in lines if variables(line)]
        names = {line.partition("=")[0] for line in ours}
        there = (_content(root_fd, _ENVIRONMENT) or b"").decode(errors="surrogateescape").splitlines()
        kept = [line for line in there if line.lstrip().partition("=")[0] not in names]
        data = "".join(f"{line}\n" for line in (*kept, *ours)).encode(errors="surrogateescape")
        if ours and len(data) <= _LIMIT_BYTES:
            atomic.write_bytes(f"/proc/self/fd/{etc}/environment", data, durable=False, mode=0o644)
        if _content(root_fd, _RC, 0) is None:
            atomic.write_bytes(f"/proc/self/fd/{etc}/rc", _script(image).encode(errors="surrogateescape"), durable=False, mode=0o644)
    finally:
        os.close(etc)


def _line(word: str) -> str:
    """A variable, so that `variables` reads it again; "" for one of several lines, which cannot be there."""
    name, _, value = word.partition("=")
    bare = value.rstrip()
    quoted = len(bare) > 1 and bare[0] in "\"'" and bare[-1] in "\"'"
    return "" if "\n" in word or "\r" in word else f"{name}='{value}'" if quoted else word


def _script(image: RunConfig) -> str:
    from shlex import quote

    entrypoint, cmd = ([quote(word.text) for word in words] for words in (image.entrypoint, image.cmd))
    workdir = quote(image.workdir.text or "/")
    return f"""mkdir -p {workdir} 2> /dev/null
cd {workdir} && unset OLDPWD || exit 1

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi

if [ $# -gt 0 ]; then
    exec {" ".join([*entrypoint, '"$@"'])}
else
    exec {" ".join([*entrypoint, *cmd] or [_SHELL])}
fi
"""


def _ask(mount: int, path: str) -> tuple[bytes, bool]:
    """/etc/environment, empty where there is none, and whether there is an /etc/rc."""
    said = os.memfd_create("said", os.MFD_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            status = _FAILED
            try:
                status = _look(mount, said)
            finally:
                os._exit(status)
        pidfd = child.open_child(pid)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(_ANSWER_S * 1000):
                raise InvalidInput(f"{path}: its file system has not answered for {_ANSWER_S} s", hint="fetch or make the image file again")
            status = child.exit_code(child.reap(pid, pidfd))
        except BaseException:
            child.end(pidfd)
            raise
        finally:
            os.close(pidfd)
        data = os.pread(said, _LIMIT_BYTES + 1, 0)
    finally:
        os.close(said)
    if status not in (_WITHOUT_RC, _WITH_RC):
        why = data.decode(errors="replace") or "the process that reads them ended"
        raise InvalidInput(f"{path}: what /etc says about running it cannot be read: {why}", hint="fetch or make the image file again")
    return data, status == _WITH_RC


def _look(mount: int, said: int) -> int:
    """In the child: put what is there into `said`, or why it cannot be read."""
    try:
        data = _content(mount, _ENVIRONMENT)
        if data is not None and len(data) > _LIMIT_BYTES:
            raise OSError(0, f"/{_ENVIRONMENT} is larger than {_LIMIT_BYTES} bytes")
        with os.fdopen(os.dup(said), "wb") as file:
            file.write(data or b"")
        return _WITHOUT_RC if _content(mount, _RC, 0) is None else _WITH_RC
    except OSError as error:
        os.ftruncate(said, 0)
        os.pwrite(said, str(error.strerror).encode(), 0)
        return _FAILED


def _content(mount: int, name: str, most: int = _LIMIT_BYTES + 1) -> bytes | None:
    """The first bytes of a regular file of the image, links followed as in the container; None where there is none."""
    try:
        # A FIFO is not waited for, and devices the mount has none (nodev).
        fd = openat2(mount, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        data = b""
        while len(data) < most and (block := os.read(fd, most - len(data))):
            data += block
        return data
    finally:
        os.close(fd)
