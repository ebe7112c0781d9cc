"""One verb on several containers: every one is tried, each failure is one line. HOT."""

from __future__ import annotations

from rootless.cli.main import complain
from rootless.errors import RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage import containers
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def each(store: Store, names: Iterable[str], verb: Callable[[str], object], *, echo: bool = True) -> int:
    """Call `verb` with the id of each container, print the name as given (as Docker does); 1 if any failed."""
    status = 0
    for name in names:
        try:
            verb(containers.find(store, name))
        except RootlessError as error:
            complain(error)
            status = 1
            continue
        if echo:
            print(name, flush=True)
    return status
