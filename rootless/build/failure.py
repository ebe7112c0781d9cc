"""A build that failed: the error, and the account of it that is printed before it."""

from __future__ import annotations

from rootless.build.dockerfile.error import excerpt
from rootless.build.dockerfile.instructions import Dockerfile
from rootless.build.plan.steps import Step
from rootless.build.progress.log_text import for_terminal
from rootless.build.progress.vertices import Vertex
from rootless.errors import RootlessError
from rootless.words import plain


class BuildFailed(RootlessError):
    """`account` is what BuildKit's client prints above the error: the vertex, its last lines, where it stands."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, account: str = "") -> None:
        super().__init__(f"failed to build: failed to solve: {message}", hint=hint)
        self.account = account


def of_step(error: RootlessError, vertex: Vertex, step: Step | None, dockerfile: Dockerfile) -> BuildFailed:
    """The failure of a step, with the last that its command said and its lines in the Dockerfile."""
    account = ""
    if step is not None:
        account = f"------\n > {plain(vertex.name)}:\n"
        account += "".join(
            f"{seconds:.3f} {for_terminal(line).decode()}\n" for seconds, line in vertex.last_lines if line
        )
        account += "------\n" + excerpt(dockerfile.file, dockerfile.lines, step.place.first, step.place.last)
    return BuildFailed(error.message, hint=error.hint, account=account)
