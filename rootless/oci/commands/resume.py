"""`resume`: let a paused container go on."""

from __future__ import annotations

from rootless.oci.commands.pause import freeze
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments


def command(args: Arguments) -> int:
    """Thaw it."""
    return freeze(args, frozen=False)
