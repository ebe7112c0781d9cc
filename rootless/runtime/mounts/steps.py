"""What is done to a container's file system, as small frozen steps: describe() and apply().

plan.py builds the list without touching a kernel; launch/init.py applies it in the new mount
namespace, before pivot_root, while the host's paths can still be seen. Every target is resolved
inside the root, and mounted on through its descriptor, so that nothing an image contains can
redirect a mount. A step raises OSError or a RootlessError; the caller adds describe(). Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import mount as m
from rootless.linux.filesystem import filesystem_type
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.mounting import attach, mount_filesystem, set_attributes
from rootless.runtime.mounts import refusals
from rootless.runtime.rootfs_path import mount_target, open_proc_file

if TYPE_CHECKING:
    from typing import Protocol


    class Step(Protocol):
        """One thing done to the file system of `root_fd`, an O_PATH descriptor of the root's mount."""

        def describe(self) -> str: ...
        def apply(self, root_fd: int) -> None: ...


class Filesystem(Record):
    """A new tmpfs, mqueue or whatever else the kernel lets a user namespace mount."""

    fstype: str
    guest_path: str
    flags: int = 0
    data: str = ""
    source: str = ""
    copy_up: bool = False
    propagation: int = 0

    def describe(self) -> str:
        return f"mount {self.fstype} at {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        if self.copy_up:
            from rootless.runtime.mounts.copyup import below

            with below(root_fd, self.guest_path) as copy:
                self._mount(root_fd)
                copy(root_fd)
        else:
            self._mount(root_fd)
        if self.propagation:
            target = mount_target(root_fd, self.guest_path, directory=True)
            try:
                set_attributes(target, propagation=self.propagation)
            finally:
                os.close(target)

    def _mount(self, root_fd: int) -> None:
        try:
            mount_filesystem(
                root_fd,
                self.guest_path,
                self.fstype,
                flags=self.flags,
                data=self.data,
                source=self.source or None,
            )
        except OSError as error:
            raise refusals.of_filesystem(error, self.fstype, self.guest_path, self.data) from None


class Proc(Record):
    """/proc of the container's own pid namespace; never through a symbolic link of the image."""

    guest_path: str
    flags: int = m.MS_NOSUID | m.MS_NODEV | m.MS_NOEXEC
    data: str = ""

    def describe(self) -> str:
        return f"mount proc at {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        try:
            mount_filesystem(root_fd, self.guest_path, "proc", flags=self.flags, data=self.data, links=False)
        except PermissionError:
            # The kernel only lets a new /proc show what an existing one shows already.
            raise NotSupported(
                f"cannot mount {self.guest_path}: parts of this machine's own /proc are hidden",
                hint="inside a container, start the outer one with --privileged or "
                "--security-opt systempaths=unconfined; or share its pids with --pid host",
            ) from None
        except OSError as error:
            raise _link(error, self.guest_path) from None


class Sysfs(Record):
    """/sys showing the container's network namespace."""

    guest_path: str
    flags: int = m.MS_NOSUID | m.MS_NODEV | m.MS_NOEXEC | m.MS_RDONLY

    def describe(self) -> str:
        return f"mount sysfs at {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        try:
            mount_filesystem(root_fd, self.guest_path, "sysfs", flags=self.flags, links=False)
        except PermissionError:
            # Parts of our own /sys are hidden (we are in a container), or the network namespace
            # is not ours: its /sys as we see it, which shows less and can change nothing.
            HostTree("/sys", self.guest_path).apply(root_fd)
        except OSError as error:
            raise _link(error, self.guest_path) from None


class HostTree(Record):
    """A tree of the host (/sys, /proc) with all below it, read-only throughout unless `writable`;
    one that is `optional` is left out where the host has none."""

    host_path: str
    guest_path: str
    writable: bool = False
    optional: bool = False

    def describe(self) -> str:
        return f"bind {self.host_path} to {self.guest_path}{'' if self.writable else ' read-only'}"

    def apply(self, root_fd: int) -> None:
        try:
            fd = m.open_tree(m.AT_FDCWD, self.host_path, m.OPEN_TREE_CLONE | m.AT_RECURSIVE)
        except FileNotFoundError:
            if self.optional:
                return
            raise
        try:
            attr = m.MOUNT_ATTR_NOSUID | m.MOUNT_ATTR_NODEV | m.MOUNT_ATTR_NOEXEC
            if not self.writable:
                attr |= m.MOUNT_ATTR_RDONLY
            set_attributes(fd, attr=attr, propagation=m.MS_PRIVATE, recursive=True)
            attach(fd, root_fd, self.guest_path, directory=True, links=False)
        except OSError as error:
            raise _link(error, self.guest_path) from None
        finally:
            os.close(fd)


def _link(error: OSError, guest_path: str) -> Exception:
    if error.errno != errno.ELOOP:
        return error
    return InvalidInput(f"{guest_path} is a symbolic link in the image: refusing to mount on it")


class CgroupMount(Record):
    """/sys/fs/cgroup, read-only: our own part of cgroup v2. Where the host has v1, whose files would show
    limits that are not ours, nothing at all; and where it has v2 beside v1 nothing but a part of our own."""

    guest_path: str
    flags: int = m.MS_NOSUID | m.MS_NODEV | m.MS_NOEXEC | m.MS_RDONLY

    def describe(self) -> str:
        return f"mount cgroup at {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        try:
            unified = filesystem_type("/sys/fs/cgroup") == "cgroup2"
        except FileNotFoundError:
            unified = False
        if unified:
            try:
                self._attach(root_fd, self._detached())
            except PermissionError:
                HostTree("/sys/fs/cgroup", self.guest_path).apply(root_fd)
        elif not self._mount_beside_v1(root_fd):
            mount_filesystem(root_fd, self.guest_path, "tmpfs", flags=self.flags, data="mode=755,size=0")

    def _mount_beside_v1(self, root_fd: int) -> bool:
        """Mount a hybrid host's cgroup v2, which the kernel gives to the owner of the cgroup namespace. Not
        where our cgroup is the root of the hierarchy (the one directory without cgroup.events): that one is
        everybody's. Returns whether it is mounted."""
        try:
            if filesystem_type("/sys/fs/cgroup/unified") != "cgroup2":
                return False
            mounted = self._detached()
        except (FileNotFoundError, PermissionError):
            return False
        try:
            os.stat("cgroup.events", dir_fd=mounted)
        except FileNotFoundError:
            os.close(mounted)
            return False
        self._attach(root_fd, mounted)
        return True

    def _attach(self, root_fd: int, mounted: int) -> None:
        try:
            attach(mounted, root_fd, self.guest_path, directory=True)
        finally:
            os.close(mounted)

    def _detached(self) -> int:
        # Not mount(2), which puts no file system on itself: it may be there with the host's /sys.
        context = m.fsopen("cgroup2")
        try:
            m.fsconfig_create(context)
            return m.fsmount(context, 0, self.flags & 0xF)  # the MOUNT_ATTR_ bits are the MS_ bits
        finally:
            os.close(context)


class Sysctl(Record):
    """A kernel parameter of the container's own namespaces, written through its own /proc."""

    name: str
    value: str

    def describe(self) -> str:
        return f"sysctl {self.name}={self.value}"

    def apply(self, root_fd: int) -> None:
        # Names may hold slashes where an interface's own name has dots, as sysctl(8) has it.
        path = "sys/" + (self.name if "/" in self.name else self.name.replace(".", "/"))
        try:
            fd = open_proc_file(root_fd, path, os.O_WRONLY)
        except FileNotFoundError:
            raise InvalidInput(f"unknown sysctl {self.name}") from None
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.ELOOP):
                raise
            raise InvalidInput(f"/proc/{path} of the container is not the kernel's") from None
        try:
            os.write(fd, self.value.encode())
        finally:
            os.close(fd)
