"""One verb on several containers: every one is tried, each failure is one line. Hot path."""

from __future__ import annotations

from rootless.cli.output.messages import complain
from rootless.errors import RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def for_each(store: Store, names: Iterable[str], verb: Callable[[str], object], *, echo: bool = True) -> int:
    """Call `verb` with the id of each container, print the name as given (as Docker does); 1 if any failed."""
    status = 0
    for name in names:
        try:
            verb(containers.find(store, name))
        except (RootlessError, OSError) as error:
            _complain(error)
            status = 1
            continue
        if echo:
            print(name, flush=True)
    return status


def _complain(error: RootlessError | OSError) -> None:
    """Tell what went wrong with one; the others are still to be done."""
    if isinstance(error, BrokenPipeError) and error.filename is None:
        raise error  # nobody reads what we print
    if isinstance(error, OSError):
        from rootless.cli.output.errors import translate

        error = translate(error)
    complain(error)


_AT_ONCE = 64


def for_each_parallel(store: Store, names: Iterable[str], verb: Callable[[str], object]) -> int:
    """As `for_each`, for verbs that mostly wait (stop): all at once, reported in the order given."""
    import threading

    wanted = list(names)
    if len(wanted) < 2:
        return for_each(store, wanted, verb)
    slots = threading.Semaphore(_AT_ONCE)
    failed: dict[int, RootlessError | OSError] = {}

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
        if error is not None:
            _complain(error)
            status = 1
        else:
            print(name, flush=True)
    return status
