"""Trees of a running container, cloned where it sees them: for its other containers, and for `export`.

A mount belongs to the namespace it was made in, and open_tree(2) clones those of its own alone: a
forked child goes in, clones and passes the detached mount out. The caller has joined the session, which
owns the container's user namespace.
"""

from __future__ import annotations

import os

from rootless.errors import RootlessError
from rootless.linux import mount as m
from rootless.linux import namespace as n
from rootless.linux.process import set_dumpable, set_pdeathsig
from rootless.runtime import descriptors, namespaces, sync
from rootless.runtime.mounting import follow_no_links
from rootless.runtime.rootfs_path import open_in_root


def clone_tree(pid: int, pidfd: int, guest_path: str, *, recursive: bool, follows_links: bool = True) -> int:
    """A detached copy of what is mounted at `guest_path` of the container whose PID 1 is `pid`, with
    what is mounted below it if `recursive`: a descriptor for move_mount(2) or openat2(2), the caller's. Without `follows_links`
    no path on it leads through a link (NotSupported before Linux 5.14).

    Conflict where the container has ended; OSError of the path's. It is gone when its descriptors are closed.
    """
    wanted = n.CLONE_NEWUSER | n.CLONE_NEWNS
    found = namespaces.others(pid, pidfd)
    ours, theirs = sync.pair()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            set_pdeathsig(9)
            # Before anything of the container can see us.
            set_dumpable(False)
            namespaces.enter(pidfd, tuple((flag, fd) for flag, fd in found if flag & wanted))
            descriptors.keep_only((theirs.fileno(),))
            root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            place = open_in_root(root, guest_path)
            flags = m.OPEN_TREE_CLONE | m.AT_EMPTY_PATH | (m.AT_RECURSIVE if recursive else 0)
            tree = m.open_tree(place, "", flags)
            if not follows_links:
                follow_no_links(tree)
            theirs.send("done", {}, (tree,))
        except (OSError, RootlessError) as error:
            theirs.send_error(error, step=f"look at {guest_path} of the container")
        finally:
            descriptors.drop_everything()
            os._exit(0)
    theirs.close()
    descriptors.close_all(fd for _, fd in found)
    try:
        return ours.expect("done").fds[0]
    finally:
        ours.close()
        os.waitpid(child, 0)
