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


_AT_ONCE = 64


def together(store: Store, names: Iterable[str], verb: Callable[[str], object]) -> int:
    """As `each`, for verbs that mostly wait (stop): all at once, told in the order given."""
    import threading

    wanted = list(names)
    if len(wanted) < 2:
        return each(store, wanted, verb)
    slots = threading.Semaphore(_AT_ONCE)
    failed: dict[int, BaseException] = {}

    def work(position: int, name: str) -> None:
        with slots:
            try:
                verb(containers.find(store, name))
            except (RootlessError, OSError) as error:
                failed[position] = error

    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(wanted)]
    for thread in threads:
        thread.start()
    status = 0
    for position, (name, thread) in enumerate(zip(wanted, threads, strict=True)):
        thread.join()
        error = failed.get(position)
        if isinstance(error, RootlessError):
            complain(error)
            status = 1
        elif error is not None:
            raise error
        else:
            print(name, flush=True)
    return status
