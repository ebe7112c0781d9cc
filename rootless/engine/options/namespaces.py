"""--pid, --ipc and --uts: which namespaces a container shares. Pure. Hot path."""

from __future__ import annotations

from rootless.errors import InvalidInput


def shared(word: str, kind: str, modes: tuple[str, ...]) -> str:
    """The word, where it is one of `modes` or another container's; InvalidInput."""
    if word in ("", *modes) or (word.startswith("container:") and word != "container:" and kind != "uts"):
        return word
    raise InvalidInput(f"--{kind}: invalid {kind.upper()} mode")
