"""`rootless healthcheck run`."""

from __future__ import annotations

from rootless.cli.grammar.command import RUN, Args, Command
from rootless.engine.lifecycle import healthcheck
from rootless.engine.state import health
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Check once, now; status 0 for success, 1 for failure, 125 where there is nothing to check."""
    store = Store.open()
    identifier = containers.find(store, args.positional[0])
    found = healthcheck.check(store, identifier, by_timer=False)
    if found is None or not found["log"] or found["log"][-1]["ExitCode"] != 0:
        print(health.UNHEALTHY)
        return 1
    return 0


COMMAND = Command(
    name="healthcheck run",
    summary="Run the health check of a container",
    usage="CONTAINER",
    options=(),
    handler=run,
    min_args=1,
    max_args=1,
    status=RUN,
    complete="container:running",
)
