"""struct's functions from its C module: the Python one before it is one more file to find and load. Hot path."""

from __future__ import annotations

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from struct import Struct as Struct
    from struct import calcsize as calcsize
    from struct import pack as pack
    from struct import unpack as unpack
    from struct import unpack_from as unpack_from
else:
    try:
        from _struct import *  # noqa: F403
    except ImportError:  # another implementation of Python
        from struct import *  # noqa: F403
