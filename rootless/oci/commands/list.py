"""`list`: the containers of --root."""

from __future__ import annotations

import json

from rootless.errors import InvalidInput
from rootless.oci import state
from rootless.oci.commands.flags import root_of
from rootless.record import TYPE_CHECKING
from rootless.words import plain

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container


def command(args: Arguments) -> int:
    """Print the containers of --root."""
    found = [(container, container.status()) for container in state.all_containers(root_of(args))]
    if args.flag("--quiet"):
        for container, _ in found:
            print(container.id)
    elif args.value("--format") == "json":
        print(json.dumps([_row(container, status) for container, status in found]))
    elif args.value("--format") in (None, "table"):
        rows: list[tuple[str, ...]] = [("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")]
        for container, status in found:
            pid = "0" if status == state.STOPPED else str(container.pid)
            rows.append((container.id, pid, status, container.bundle, container.created, _owner(container)))
        _table(rows)
    else:
        raise InvalidInput("--format is table or json")
    return 0


def _row(container: Container, status: str) -> dict[str, Any]:
    document = container.document(status)
    document.setdefault("pid", 0)
    return {
        **document,
        "rootfs": container.rootfs,
        "created": container.created,
        "owner": _owner(container),
    }


def _owner(container: Container) -> str:
    """The name of who made it, as runc has it."""
    import pwd

    try:
        return pwd.getpwuid(int(container.owner)).pw_name
    except KeyError:
        return f"#{container.owner}"


def _table(rows: list[tuple[str, ...]]) -> None:
    # On a terminal of root's, perhaps, who looks at a user's containers.
    rows = [tuple(plain(cell) for cell in row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
