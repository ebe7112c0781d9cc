"""Exceptions that a signal's handler raises, where Python would lose one.

What is raised within a finalizer (__del__), a weak reference's callback or a hook of os.fork (logging has one) goes no further:
Python writes "Exception ignored in" and goes on. A build whose client had gone at that instant ran to its end for nobody.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

_AGAIN_S = 0.01


def raise_again(kind: type[BaseException], handler: Callable[[int, Any], object]) -> Callable[[], None]:
    """From now on an exception of `kind` that is lost so has `handler` called a moment later, in the main thread, as for a signal,
    to raise it again: by SIGALRM, which nothing else in the process may use. What it returns ends this; a worker that ends with
    its process need not call it. For processes of one thread."""
    before = sys.unraisablehook

    def lost(what: sys.UnraisableHookArgs) -> None:
        if what.exc_type is not kind:
            before(what)
            return
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)

    def end() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = before

    sys.unraisablehook = lost
    return end
