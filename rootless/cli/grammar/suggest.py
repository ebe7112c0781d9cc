"""What a mistyped word was probably meant to be. Imported only when something was mistyped."""

from __future__ import annotations

from collections.abc import Iterable

_OF_ITSELF = "left out: that is so by itself"
_OF_APPTAINER = {
    "--nv": "--gpus all", "--rocm": "--gpus all",
    "-B": "-v SOURCE:TARGET", "--bind": "-v SOURCE:TARGET", "-H": "-v $HOME:$HOME", "--home": "-v $HOME:$HOME",
    "--pwd": "-w DIRECTORY", "--cwd": "-w DIRECTORY", "--fakeroot": _OF_ITSELF, "--writable-tmpfs": _OF_ITSELF, "--writable": _OF_ITSELF,
    "--contain": _OF_ITSELF, "--containall": _OF_ITSELF, "-C": _OF_ITSELF, "--cleanenv": _OF_ITSELF, "--no-home": _OF_ITSELF,
}  # fmt: skip


def of_apptainer(command: str, name: str) -> str | None:
    """What an option of `apptainer run` and `exec` is here, as a hint."""
    word = _OF_APPTAINER.get(name) if command in ("run", "create") else None
    return f"Apptainer's {name} is here {word}" if word else None


def closest(word: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """The known words that start with `word` or are a slip of the fingers away, nearest first.

    A slip is one edit, two in a word of six letters; in one of two letters, whose every edit makes another
    word, only their order. No guess is better than one that leads astray.
    """
    found = []
    letters = word.strip("-")
    for candidate in known:
        distance = edits(word, candidate)
        if distance <= (2 if len(letters) > 5 else 1) and (
            len(letters) > 2 or sorted(word) == sorted(candidate)
        ):
            found.append((distance, candidate))
        elif len(letters) > 1 and candidate.startswith(word):
            found.append((3, candidate))
    return [candidate for _, candidate in sorted(found)[:limit]]


def edits(one: str, other: str) -> int:
    """The number of letters to insert, remove, replace or swap with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        earlier, before, row = before, row, [i] + [0] * len(other)
        for j, right in enumerate(other, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]
