"""Trying a storage driver out on the store's own file system, in a forked child's namespaces.

Facts, not versions: mounts, writes, whiteouts, opaque directories and renames are done and looked at.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from rootless.errors import NotSupported
from rootless.linux import mount, namespace
from rootless.linux.filesystem import filesystem_type
from rootless.paths import find_program
from rootless.storage.directories import make_directory
from rootless.storage.remove_tree import remove_tree


def try_drivers(root: str, asked: str = "") -> tuple[str, dict[str, str]]:
    """For a store at `root`: the best driver that works (or exactly the one asked for) and why better ones do not."""
    make_directory(root)
    place = f"{root}/.probe-{os.getpid()}-{os.urandom(4).hex()}"
    refused: dict[str, str] = {}
    try:
        make_directory(place)
        kind = filesystem_type(place)
        why = _in_child(lambda: _try_owners(place))
        if why:
            raise NotSupported(
                f"the file system of {root} ({kind}) cannot hold containers' files: {why}",
                hint="set ROOTLESS_ROOT to a directory on a local disk (ext4, xfs, btrfs, tmpfs)",
            )
        for driver, attempt in (
            ("overlay", _try_overlay),
            ("fuse-overlayfs", _try_fuse),
            ("directory", None),
        ):
            if asked and driver != asked:
                continue
            if attempt is None:
                return driver, refused
            os.mkdir(f"{place}/{driver}", 0o700)
            why = _in_child(lambda: attempt(f"{place}/{driver}"))  # noqa: B023
            if not why:
                return driver, refused
            refused[driver] = why
        raise NotSupported(
            f"storage driver {asked} does not work here: {refused.get(asked, '')}",
            hint="leave ROOTLESS_STORAGE_DRIVER and --storage-driver away to have the best one chosen",
        )
    finally:
        remove_tree(place)


def _in_child(action: Callable[[], str]) -> str:
    """Run `action` in a forked child; "" or what went wrong there."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        text = "it failed"
        try:
            text = action()
        except OSError as error:
            where = f" ({os.path.basename(error.filename)})" if isinstance(error.filename, str) else ""
            text = f"{error.strerror}{where}"
        except BaseException as error:  # noqa: BLE001 - a forked child reports all and never returns
            text = f"{type(error).__name__}: {error}"
        finally:
            os.write(writer, text.encode()[:4000])
            os._exit(0)
    os.close(writer)
    answer = b""
    while piece := os.read(reader, 4096):
        answer += piece
    os.close(reader)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return answer.decode(errors="replace") if status == 0 else f"its test ended with status {status}"


def _enter_namespaces() -> None:
    """A private mount namespace; below the session, or in a user namespace of our own."""
    uid, gid = os.getuid(), os.getgid()
    try:
        namespace.unshare(namespace.CLONE_NEWNS)
    except PermissionError:
        namespace.unshare(namespace.CLONE_NEWUSER | namespace.CLONE_NEWNS)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    mount.mount(None, "/", None, mount.MS_REC | mount.MS_PRIVATE, None)


def _try_owners(place: str) -> str:
    """Files of another id, user xattrs, hard links: what unpacking a layer needs."""
    path = place + "/file"
    with open(path, "w") as file:
        file.write("x")
    with open("/proc/self/uid_map") as uid_map:
        mapped = sum(int(line.split()[2]) for line in uid_map)
    if os.getuid() == 0 and mapped > 1:
        try:
            os.chown(path, 1, 1)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EINVAL):
                return "it refuses files of subordinate ids"
            raise
    os.link(path, path + ".link")
    os.symlink("file", path + ".symlink")
    return ""


def _make_layers(place: str) -> dict[str, str]:
    paths = {name: f"{place}/{name}" for name in ("lower", "upper", "work", "merged")}
    for path in paths.values():
        os.mkdir(path, 0o755)
    os.mkdir(paths["lower"] + "/directory")
    for name in ("kept", "removed", "directory/below"):
        with open(f"{paths['lower']}/{name}", "w") as file:
            file.write(name)
    return paths


def _exercise(paths: dict[str, str], *, kernel: bool) -> str:
    merged, upper = paths["merged"], paths["upper"]
    with open(merged + "/kept", "a") as file:
        file.write(" and changed")
    with open(merged + "/kept") as file:
        if file.read() != "kept and changed":
            return "a changed file reads wrong"
    os.unlink(merged + "/removed")
    if os.path.lexists(merged + "/removed"):
        return "a removed file is still there"
    if kernel and not stat.S_ISCHR(os.lstat(upper + "/removed").st_mode):
        return "it makes no whiteouts"
    os.unlink(merged + "/directory/below")
    os.rmdir(merged + "/directory")
    os.mkdir(merged + "/directory")
    if os.listdir(merged + "/directory"):
        return "a directory made anew shows its old files (no extended attributes?)"
    os.mkdir(merged + "/one")
    os.rename(merged + "/one", merged + "/two")
    if not os.path.isdir(merged + "/two"):
        return "a renamed directory is lost"
    return ""


def _try_overlay(place: str) -> str:
    _enter_namespaces()
    paths = _make_layers(place)
    # Relative names: nothing in the store's path can be taken for an option.
    os.chdir(place)
    try:
        mount.mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work,userxattr")
    except OSError as error:
        return f"mount: {error.strerror}"
    return _exercise(paths, kernel=True)


def _try_fuse(place: str) -> str:
    program = find_program("fuse-overlayfs")
    if program is None:
        return "fuse-overlayfs is not installed"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"/dev/fuse: {error.strerror}"
    _enter_namespaces()
    paths = _make_layers(place)
    os.chdir(place)
    argv = [program, "-f", "-o", "lowerdir=lower,upperdir=upper,workdir=work", "merged"]
    before = os.stat("merged").st_dev
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    server = os.posix_spawn(
        program, argv, dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    )
    import time

    try:
        for _ in range(500):
            if os.stat("merged").st_dev != before:
                break
            if os.waitpid(server, os.WNOHANG)[0]:
                server = 0
                return "fuse-overlayfs could not mount"
            time.sleep(0.01)
        else:
            return "fuse-overlayfs did not mount within 5 s"
        return _exercise(paths, kernel=False)
    finally:
        try:
            mount.umount2("merged", mount.MNT_DETACH)
        except OSError:
            pass
        if server:
            os.waitpid(server, 0)
