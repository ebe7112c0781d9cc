"""A container's own files as one squashfs, which `run ./FILE` takes for an image: what `run --shared --save` makes."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from rootless.engine.files import view
from rootless.engine.files.export import exporting
from rootless.engine.state import running
from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.session import run_program, session
from rootless.storage import disk_errors, named_paths, squashed
from rootless.storage.containers import containers
from rootless.storage.store import Store
from rootless.words import plain

_PROGRAM = "sqfstar"
# Whoever waits is a step of a job. zstd's usual end takes ten times as long, and squashfs-tools 4.5 refuses any other of it here.
_OPTIONS = ("-no-progress", "-quiet", "-comp", "lz4", "-b", "128K")


def check(target: str) -> None:
    """Before the commands run whose work it is: InvalidInput, NotSupported where `save` could not make the file."""
    above = os.path.dirname(os.path.abspath(target))
    if not os.path.isdir(above) or not os.access(above, os.W_OK | os.X_OK):
        raise InvalidInput(f"cannot write {target}: {above} is no directory in which you may write")
    if os.path.isdir(target):
        raise InvalidInput(f"cannot write {target}: it is a directory")
    if run_program.find(_PROGRAM) is None or run_program.find(squashed.PROGRAM) is None:
        raise NotSupported(
            f"a container is saved as a squashfs by {_PROGRAM} and {squashed.PROGRAM}, which are not both installed",
            hint="as administrator: apt install squashfs-tools (Debian, Ubuntu), dnf install squashfs-tools (Fedora)",
        )


def save(store: Store, identifier: str, target: str) -> None:
    """Make the file `target` of what the container has, without what is mounted in it: beside it, synced and renamed. Joins the
    session. RootlessError; FileNotFoundError without the programs that `check` looks for.

    Owners are the container's numbers. Where there is one id all are root's, with records of the others (owner_record) but for links.
    All are root's, too, where the container's user is oneself (keep-id): so that they are his again in the next such container.
    """
    above, _, name = os.path.abspath(target).rpartition("/")
    target = f"{named_paths.follow(above or '/', 'the directory') or above}/{name}"
    running.join_session(store, identifier)
    aside = f"{os.path.dirname(target)}/.{name}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        if session.join().single_id:
            _with_records(store, identifier, aside)
        else:
            _from_tar(store, identifier, aside, ("-all-root",) if containers.config(store, identifier).get("id_map") else ())
        fd = os.open(aside, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(aside, target)
    except OSError as error:
        raise disk_errors.failed(f"cannot write {target}", error, os.path.dirname(target)) from error
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


def _from_tar(store: Store, identifier: str, target: str, options: tuple[str, ...]) -> None:
    program = run_program.find(_PROGRAM) or _PROGRAM
    with (
        exporting(store, identifier) as write,
        subprocess.Popen([program, *_OPTIONS, *options, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env={"LC_ALL": "C", "PATH": os.defpath}) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError), process.stdin:  # what it says tells why
            write(process.stdin)
        said = process.stdout.read().decode(errors="replace")
    if process.returncode:
        disk_errors.raise_said(said, target)
        lines = [line for line in said.splitlines() if line.strip()]
        why = plain(lines[-1]) if lines else "it said nothing"
        raise RootlessError(
            f"{_PROGRAM} could not save the container (exit status {process.returncode}): {why}",
            hint=f"is there room in {os.path.dirname(target)}?",
        )
