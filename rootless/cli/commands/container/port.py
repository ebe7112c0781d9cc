"""`rootless port`."""

from __future__ import annotations

from rootless.cli.flags import chosen
from rootless.cli.grammar.command import Args, Command
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.errors import NotFound
from rootless.network import ports
from rootless.storage.containers import containers
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Print where the container's ports are published."""
    store = Store.open()
    chosen.name_first(store, args)
    identifier = containers.find(store, args.positional[0])
    wanted = args.positional[1] if len(args.positional) > 1 else None
    with running.require(store, identifier) as found:
        state = found.state
        record = read_config(store, identifier)
        if record.get("pod"):
            from rootless.engine.state import pods

            state = pods.with_network(store, record, state)
        published = ports.from_data((state.get("network") or {}).get("ports") or [])
    lines = ports.port_lines(published, wanted)
    if wanted is not None and not lines:
        raise NotFound(f"No public port '{wanted}' published for {args.positional[0]}")
    for line in lines:
        print(line)
    return 0


COMMAND = Command(
    name="port",
    summary="List port mappings or a specific mapping for the container",
    usage="[OPTIONS] CONTAINER [PRIVATE_PORT[/PROTO]]",
    options=(chosen.LATEST,),
    handler=run,
    min_args=1,
    max_args=2,
    complete="container",
)
