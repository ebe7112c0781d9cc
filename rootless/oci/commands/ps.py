"""`ps`: the processes of a container."""

from __future__ import annotations

import json

from rootless.errors import Conflict, InvalidInput, NotSupported
from rootless.oci import state
from rootless.oci.commands.flags import root_of
from rootless.oci.container import processes
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments


def command(args: Arguments) -> int:
    """Print the container's processes: as `ps -ef` shows them, or their numbers as JSON."""
    container = state.find(root_of(args), args.words[0])
    if container.status() == state.STOPPED:
        raise Conflict(f"container {container.id} is not running")
    if args.value("--format") not in (None, "table", "json"):
        raise InvalidInput("--format is table or json")
    found = processes.pids(container)
    if args.value("--format") == "json":
        print(json.dumps(found))
        return 0
    import subprocess

    try:
        answer = subprocess.run(
            ["ps", *(args.words[1:] or ["-ef"])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise NotSupported("the program ps is not installed here", hint="--format json needs none") from None
    if answer.returncode:
        raise InvalidInput(f"ps: {' '.join(answer.stderr.split())}")
    lines = answer.stdout.splitlines()
    header = lines[0].split()
    if "PID" not in header:
        raise InvalidInput("these options of ps leave out the column PID")
    column = header.index("PID")
    print(lines[0])
    for line in lines[1:]:
        fields = line.split()
        if len(fields) > column and fields[column].isdecimal() and int(fields[column]) in found:
            print(line)
    return 0
