"""A container's own files as one squashfs, which `run ./FILE` takes for an image: what `run --shared --save` makes."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rootless.engine.files import view
from rootless.engine.files.export import exporting
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.linux import signal
from rootless.linux.process import set_pdeathsig
from rootless.session import session
from rootless.storage import disk_errors, holes, images, named_paths, squashed, squashfs_tools
from rootless.storage.images import Image
from rootless.storage.store import Store
from rootless.words import plain

_PROGRAM = squashfs_tools.FROM_TAR
# Whoever waits is a step of a job. zstd's usual end takes ten times as long, and squashfs-tools 4.5 refuses any other of it here.
_OPTIONS = ("-no-progress", "-quiet", "-comp", "lz4", "-b", "128K")
_LONGEST_NAME = 230
"""With the ending of what is not finished yet it is a name that a file can have."""
_ABANDONED_S = 3600.0


def check(target: str) -> int:
    """Before the commands run whose work it is: InvalidInput, NotSupported where `save` could not make the file. Returns a descriptor of
    the directory that it is to be in, the caller's: a command that has one above that may put a link in its place."""
    above, _, name = os.path.abspath(target).rpartition("/")
    above = above or "/"
    if not os.path.isdir(above) or not os.access(above, os.W_OK | os.X_OK):
        raise InvalidInput(f"cannot write {target}: {above} is no directory in which you may write")
    if os.path.isdir(target):
        raise InvalidInput(f"cannot write {target}: it is a directory")
    if os.path.exists(target) and not os.path.isfile(target):
        raise InvalidInput(f"cannot write {target}: it is no regular file")
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise InvalidInput(f"cannot write {target}: a name may have {_LONGEST_NAME} bytes")
    for program in (_PROGRAM, squashfs_tools.PACK):
        squashfs_tools.find(program, "a saved container")
    try:
        return named_paths.open_followed(above, "the directory", flags=os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        raise named_paths.failure(target, error, "cannot write") from None


def save(store: Store, identifier: str, target: str, place: int) -> None:
    """Make the file `target`, by its name in the directory `place` that `check` has opened, of what the container has, without what is
    mounted in it: beside it, synced and renamed. Joins the session. RootlessError.

    Owners are the container's numbers. Where there is one id all are root's, with records of the others (owner_record) but for links.
    All are root's, too, where the container's user is oneself (keep-id): so that they are his again in the next such container.
    SIGTERM and SIGHUP end it, and us, with nothing left beside the file; what a killed one has left is removed by the next.
    """
    name = os.path.basename(os.path.abspath(target))
    os.set_inheritable(place, True)  # by sqfstar and mksquashfs, which know paths alone
    directory = f"/proc/self/fd/{place}"
    running.join_session(store, identifier)
    record = read_config(store, identifier)
    _sweep(directory, name)
    aside = f"{directory}/{name}.unfinished-{os.urandom(4).hex()}"
    try:
        with _told_to_end():
            _describe(store, record)
            with view.root_alone(store, identifier) as root:
                holes.tell(root.root_fd)
            if session.join().single_id:
                _with_records(store, identifier, aside)
            else:
                _from_tar(store, identifier, aside, ("-all-root",) if record.get("id_map") else ())
            _finish(aside, f"{directory}/{name}")
    except OSError as error:
        where = os.path.realpath(directory)
        raise disk_errors.failed(f"cannot write {where}/{name}", error, where) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(aside)


def _with_records(store: Store, identifier: str, target: str) -> None:
    try:
        # mksquashfs opens by its name what it has looked at, and the container may still run: a directory that is a link by then
        # would lead it to the caller's own files.
        with view.root_alone(store, identifier, follows_links=False) as place:
            squashed.squash(place.root_fd, target, ("-all-root",))
    except NotSupported as error:
        sys.stderr.write(plain(f"rootless: warning: {error.message}: the container is saved with all files root's") + "\n")
        _from_tar(store, identifier, target, ("-all-root",))


@contextmanager
def _told_to_end() -> Iterator[None]:
    """A signal by which we would die raises SystemExit meanwhile; an ignored one is ignored still."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sweep(directory: str, name: str) -> None:
    """Remove what savers of this file have left that were killed: nobody has written to it for an hour."""
    left = re.compile(re.escape(name) + r"\.unfinished-[0-9a-f]{8}")
    for entry in os.listdir(directory):
        if left.fullmatch(entry):
            with suppress(OSError):  # another one's, or another machine removes it, too
                if squashed.is_older(f"{directory}/{entry}", time.time() - _ABANDONED_S):
                    os.unlink(f"{directory}/{entry}")


def _describe(store: Store, record: ContainerConfig) -> None:
    """Leave in the container's files what its image says about running it; one of an image file has it already."""
    if record["rootfs"] or not record["image_id"]:
        return
    from rootless.engine.files.mounts import enroot_files
    from rootless.engine.images import from_store
    from rootless.image import run_config

    image: Image | None
    try:
        image = images.find(store, record["image_id"])
    except NotFound:
        image = from_store.find(record["image_id"])
    try:
        if image is None:
            raise FileNotFoundError("the image has been removed")
        with view.root_alone(store, record["id"]) as place:
            enroot_files.write(place.root_fd, run_config.read(image.config.get("config")))
    except OSError as error:
        sys.stderr.write(f"rootless: warning: what the image sets (ENV, CMD) is not in the file: {error.strerror or error}\n")


def _finish(aside: str, target: str) -> None:
    # A command that has the directory may see the file, and put something else in its place.
    fd = os.open(aside, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            before = os.lstat(target).st_mode
            if stat.S_ISREG(before):
                os.fchmod(fd, before & 0o777)  # one that others may not read stays so
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(aside, target)


def _from_tar(store: Store, identifier: str, target: str, options: tuple[str, ...]) -> None:
    program = squashfs_tools.find(_PROGRAM, "a saved container")
    with (
        exporting(store, identifier) as write,
        subprocess.Popen([program, *_OPTIONS, *options, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env={"LC_ALL": "C", "PATH": os.defpath}, close_fds=False, preexec_fn=_dies_with_us) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError), process.stdin:  # what it says tells why
                write(process.stdin)
            said = process.stdout.read().decode(errors="replace")
        except BaseException:
            process.kill()  # it waits for the rest of a tar that it was not given
            raise
    if process.returncode:
        squashfs_tools.raise_failed(_PROGRAM, "the container's file", process.returncode, said, target)


def _dies_with_us() -> None:
    set_pdeathsig(signal.SIGKILL)
