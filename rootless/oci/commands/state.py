"""`state`: print a container's state. Hot path."""

from __future__ import annotations

from rootless import jsontext
from rootless.oci import state
from rootless.oci.commands.flags import root_of
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments


def command(args: Arguments) -> int:
    """Print the state as JSON."""
    container = state.find(root_of(args), args.words[0])
    document = container.document()
    document.setdefault("pid", 0)
    document["rootfs"] = container.rootfs
    document["created"] = container.created
    document["owner"] = ""
    print(jsontext.dumps(document))
    return 0
