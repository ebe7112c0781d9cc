"""What `state` prints of a container; and ROOT/ID/facts, by which the launcher (helpers/oci/) starts, shows, signals and deletes one
without an interpreter.

Facts of `create`, which do not change; six lines:

    rootless-oci 1                the form of the file: a launcher that does not know it leaves all to Python, as where there is none
    PID START_TIME BOOT
    start delete                  which of the two take no interpreter
    CGROUP                        its path, empty where there is none
    {..., "status": "             what `state` prints before the status,
    , "bundle": ...}              and after the pid

They are read only where there is a state.json, and nobody else reads them. Hot path.
"""

from __future__ import annotations

from rootless import jsontext
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.state import Container

_LARGEST_BYTES = 100_000  # the launcher's buffer has 128 KiB


def around_status(container: Container) -> tuple[str, str]:
    """The JSON of `state` before the status and after the pid, which follows it."""
    head = jsontext.dumps({"ociVersion": container.version, "id": container.id, "status": ""})
    tail: dict[str, Any] = {"bundle": container.bundle}
    if container.annotations:
        tail["annotations"] = container.annotations
    tail |= {"rootfs": container.rootfs, "created": container.created, "owner": ""}
    return head.removesuffix('"}'), ", " + jsontext.dumps(tail).removeprefix("{")


def text(container: Container, spec: dict[str, Any]) -> bytes | None:
    """The file of a container of the configuration `spec`; None where it cannot be said so, and Python has to do all."""
    hooks = spec.get("hooks") or {}
    notifies = ((spec.get("linux") or {}).get("seccomp") or {}).get("listenerPath")
    words = [] if hooks.get("poststart") or notifies else ["start"]
    if not hooks.get("poststop") and not container.unit:
        words.append("delete")
    process = f"{container.pid} {container.start_time} {container.boot}"
    lines = ["rootless-oci 1", process, " ".join(words), container.cgroup, *around_status(container)]
    found = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    return found if found.count(b"\n") == len(lines) and len(found) <= _LARGEST_BYTES and b"\0" not in found else None
