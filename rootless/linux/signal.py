"""signal(7): the standard module's functions and numbers, without its enumerations.

`signal` imports enum to show a number as `<Signals.SIGINT: 2>`: 2 ms before a command's first line. All
else of it is the C module _signal, which is used here: handlers and signals are plain numbers. Hot path.
"""

from __future__ import annotations

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from signal import *  # noqa: F403
else:
    try:
        from _signal import *  # noqa: F403
    except ImportError:  # another implementation of Python
        from signal import *  # noqa: F403
