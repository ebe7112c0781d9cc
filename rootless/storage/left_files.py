"""Files that could not be deleted: what can be done about them. Wants the session joined."""

from __future__ import annotations

from rootless.storage import owner_file


def hint(path: str) -> str:
    """For whoever deleted the directory `path`, of which something is left."""
    if are_of_nobody(path):
        return (
            "files there belong to ids that you have no more: a later command deletes them once your range in /etc/subuid and "
            f"/etc/subgid is back; without one an administrator can: sudo rm -rf {path}"
        )
    return "immutable files (lsattr) or a mount below them hold on; later commands try again"


def are_of_nobody(path: str) -> bool:
    """Whether a file below `path` has an id that this user namespace does not know, which is shown as the kernel's overflow id."""
    with open("/proc/sys/kernel/overflowuid") as file:
        nobody = int(file.read())
    with open("/proc/self/uid_map") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    if any(first <= nobody < first + count for first, _, count in ranges):
        return False  # with so many ids, one that is not among them is no frequent reason, and cannot be told
    try:
        return any(status.st_uid == nobody for *_, status in owner_file.walk(path))
    except OSError:
        return False
