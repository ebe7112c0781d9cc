"""What `rootless enable --project` has the machine run at its start and at its end: `compose -p NAME start-with-machine`, `stop-...`."""

from __future__ import annotations

from rootless.cli.commands.compose import project as projects
from rootless.cli.commands.compose.carry_out import Work
from rootless.cli.grammar.command import Args, Command
from rootless.compose.load.project import checked_name
from rootless.compose.plan.down import dependencies, verb_steps
from rootless.compose.plan.machine import start_steps
from rootless.engine.lifecycle.autostart import autostart
from rootless.engine.state import restart
from rootless.storage.containers import containers


def _start(_: Args) -> int:
    """Start what ran before and has a policy that brings it back, in the order of dependencies."""
    work = Work(checked_name(projects.given().project_name))
    work.join()
    found = [one for one in work.observe().containers if autostart.comes_back(work.store, one.id)]
    work.run(start_steps(sorted(found, key=lambda one: (one.service, one.number))))
    return int(any(containers.status(work.store, one.id).pid == 0 for one in found))


def _stop(_: Args) -> int:
    """Stop what has a policy, dependents first, in a way that counts as the machine's doing."""
    work = Work(checked_name(projects.given().project_name))
    observed = work.observe()
    found = [one for one in observed.containers if one.runs and restart.has_policy(work.store, one.id)]
    work.run(verb_steps("stop", found, dependencies(None, observed), reverse=True, by_hand=False))
    return 0


START = Command("compose start-with-machine", "Start by policy (run at boot)", "", (), _start, max_args=0)
STOP = Command("compose stop-with-machine", "Stop until boot (run at shutdown)", "", (), _stop, max_args=0)
