"""Docker's documented rules of `cp` as a table: what a source and a destination are decides where a copy lies."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

# The destination: where a file, a directory's file x and the contents' file x come to lie. NAME is what the
# source is called; None: an error, and nothing is made.
DESTINATIONS: dict[str, tuple[str | None, str | None, str | None]] = {
    "new": ("new", "new/x", "new/x"),
    "new/": (None, "new/x", "new/x"),
    "new/.": (None, "new/x", "new/x"),
    "file": ("file", None, None),
    "file/": (None, None, None),
    "file/.": (None, None, None),
    "dir": ("dir/NAME", "dir/NAME/x", "dir/x"),
    "dir/": ("dir/NAME", "dir/NAME/x", "dir/x"),
    "dir/.": ("dir/NAME", "dir/NAME/x", "dir/x"),
    "ldir": ("dir/NAME", "dir/NAME/x", "dir/x"),
    "ldir/": ("dir/NAME", "dir/NAME/x", "dir/x"),
    "lfile": ("file", None, None),
    "lfile/": (None, None, None),
    "dangling": ("gone", "gone/x", "gone/x"),
    "no/new": (None, None, None),
    "fifo": (None, None, None),
}
# The source: which of the three it is, and its NAME. -1: an error.
SOURCES = {
    "f": (0, "f"), "f/": (-1, ""), "f/.": (-1, ""), "none": (-1, ""), "none/": (-1, ""),
    "d": (1, "d"), "d/": (1, "d"), "d/.": (2, ""),
    "ld/": (1, "ld"), "ld/.": (2, ""), "lf/": (-1, ""),
}  # fmt: skip
FOLLOWED = {"lf": (0, "lf"), "ld": (1, "ld")}  # with -L
MAKE_SOURCES = "mkdir d; echo DATA >f; echo DATA >d/x; ln -s f lf; ln -s d ld"
MAKE_DESTINATIONS = "mkdir dir; echo old >file; ln -s dir ldir; ln -s file lfile; ln -s gone dangling; mkfifo fifo"
BEFORE = {"file": "old\n"}
Cases = list[tuple[str, str, str | None]]


def cases(sources: dict[str, tuple[int, str]]) -> Cases:
    """(source, destination, where the data come to lie)."""
    found: Cases = []
    for source, (kind, name) in sources.items():
        for destination, places in DESTINATIONS.items():
            place = places[kind] if kind >= 0 else None
            found.append((source, destination, place and place.replace("NAME", name)))
    return found


def files(top: Path) -> dict[str, str]:
    """{path: contents} of the regular files."""
    return {
        str(path.relative_to(top)): path.read_text()
        for path in top.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


class Sides:
    """A directory of sources and one of destinations, which `reset` makes anew."""

    def __init__(self, top: Path) -> None:
        self.sources, self.destinations = top / "sources", top / "destinations"
        self.sources.mkdir()
        self.destinations.mkdir()
        subprocess.run(["sh", "-c", MAKE_SOURCES], cwd=self.sources, check=True)

    def reset(self) -> None:
        """Nothing of the last copy is left."""
        for path in self.destinations.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        subprocess.run(["sh", "-c", MAKE_DESTINATIONS], cwd=self.destinations, check=True)

    def wrong(self, todo: Cases, run: Callable[[str, str], bool]) -> list[str]:
        """What goes otherwise than the table says; `run` copies, and tells whether that was no error."""
        found = []
        for source, destination, place in todo:
            self.reset()
            copied = run(source, destination)
            there = files(self.destinations)
            wanted = {**BEFORE, **({place: "DATA\n"} if place else {})}
            if copied != (place is not None) or there != wanted:
                found.append(f"cp {source} {destination}: {'copied' if copied else 'refused'}, {there}, not {wanted}")
        return found
