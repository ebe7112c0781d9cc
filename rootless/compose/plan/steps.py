"""One step of a plan, as data: what is done to what, after which others."""

from __future__ import annotations

from typing import Any, NamedTuple

# What is said of a step while it is done, and when it is done: Docker Compose's words.
WORDS = {
    "create_network": ("Creating", "Created"), "remove_network": ("Removing", "Removed"),
    "create_volume": ("Creating", "Created"), "remove_volume": ("Removing", "Removed"), "remove_image": ("Removing", "Removed"),
    "pull": ("Pulling", "Pulled"), "build": ("Building", "Built"), "push": ("Pushing", "Pushed"),
    "create": ("Creating", "Created"), "recreate": ("Recreate", "Recreated"), "rename": ("Renaming", "Renamed"),
    "start": ("Starting", "Started"), "restart": ("Restarting", "Started"), "stop": ("Stopping", "Stopped"),
    "remove": ("Removing", "Removed"), "kill": ("Killing", "Killed"), "pause": ("Pausing", "Paused"),
    "unpause": ("Unpausing", "Unpaused"), "wait": ("Waiting", "Healthy"), "note": ("Running", "Running"),
    "pre_start": ("Preparing", "Prepared"), "sync": ("Syncing", "Synced"), "exec": ("Executing", "Executed"),
}  # fmt: skip


class Step(NamedTuple):
    """`subject` as people see it: `Container demo-web-1`. `after` are keys of steps that come first; a key of none is done already.
    `data` is plain, for who applies the step. `optional`: its failure is a warning, and what comes after it goes on."""

    key: str
    action: str
    subject: str
    after: tuple[str, ...] = ()
    data: dict[str, Any] = {}
    optional: bool = False

    def describe(self) -> str:
        """One line for --dry-run."""
        return f"{self.subject}  {WORDS[self.action][0]}"


def ordered(steps: list[Step]) -> list[Step]:
    """The steps, each behind those that it comes after; else in their own order."""
    by_key = {step.key: step for step in steps}
    found: dict[str, Step] = {}

    def visit(step: Step, chain: tuple[str, ...]) -> None:
        if step.key in found or step.key in chain:
            return
        for key in step.after:
            if key in by_key:
                visit(by_key[key], (*chain, step.key))
        found[step.key] = step

    for step in steps:
        visit(step, ())
    return list(found.values())
