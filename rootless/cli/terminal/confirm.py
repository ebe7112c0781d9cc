"""The question before something is lost, as Docker's prunes ask it."""

from __future__ import annotations

import sys

from rootless.cli.grammar.command import FLAG, Option

FORCE = Option(("-f", "--force"), "force", FLAG, help="Do not prompt for confirmation")


def confirm(warning: str, *, force: bool) -> bool:
    """Whether to go on: `force`, or a yes on stdin. An empty or absent answer is no."""
    if force:
        return True
    sys.stdout.write(f"{warning}\nAre you sure you want to continue? [y/N] ")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stdout.write("\n")
    return answer.strip().lower() in ("y", "yes")


def warning(losses: list[str]) -> str:
    """`WARNING! This will remove:` and a list of what."""
    if len(losses) == 1:
        return f"WARNING! This will remove {losses[0]}."
    return "WARNING! This will remove:\n" + "".join(f"  - {loss}\n" for loss in losses)
