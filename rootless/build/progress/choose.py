"""Which of the forms a build's progress has: --progress, BUILDKIT_PROGRESS, or what stderr is."""

from __future__ import annotations

import os
import sys

from rootless.build.progress.vertices import Progress
from rootless.errors import InvalidInput

FORMS = ("auto", "plain", "tty", "quiet", "rawjson")


def choose(word: str, *, quiet: bool) -> Progress:
    """The progress on stderr that `word` asks for ("": BUILDKIT_PROGRESS, or auto); InvalidInput for another."""
    word = word or os.environ.get("BUILDKIT_PROGRESS", "") or "auto"
    if word not in FORMS:
        raise InvalidInput(f"invalid progress mode {word}", hint=f"one of {', '.join(FORMS)}")
    if quiet or word == "quiet":
        return Progress()
    out = sys.stderr.buffer
    if word == "rawjson":
        from rootless.build.progress.rawjson import RawJson

        return RawJson(out)
    terminal = sys.stderr.isatty()
    if word == "tty" and not terminal:
        raise InvalidInput("failed to get console: provided file is not a console", hint="--progress=plain")
    if terminal and word != "plain" and os.environ.get("TERM") != "dumb":
        from rootless.build.progress.tty import Terminal

        return Terminal(out, sys.stderr.fileno(), colors=not os.environ.get("NO_COLOR"))
    from rootless.build.progress.plain import Plain

    return Plain(out)
