"""Files of holes, before a program reads them: mksquashfs and sqfstar write none of a hole's zeros, but read them all, a terabyte in half
an hour."""

from __future__ import annotations

import os
import stat
import sys

from rootless.sizes import binary
from rootless.words import plain

LARGE = 64 << 30


def tell(root: int) -> None:
    """A line on stderr for the file below the directory `root` with the most that is no data, if that is much."""
    most, name, size = LARGE, "", 0
    for place, _, files, at in os.fwalk(".", dir_fd=root):
        for file in files:
            try:
                about = os.stat(file, dir_fd=at, follow_symlinks=False)
            except OSError:
                continue  # it has been removed
            hole = about.st_size - about.st_blocks * 512
            if stat.S_ISREG(about.st_mode) and hole > most:
                most, name, size = hole, f"{place}/{file}", about.st_size
    if name:
        sys.stderr.write(
            f"rootless: {plain(name.removeprefix('.'))} has {binary(size)}, of which {binary(most)} are holes: to read them takes about "
            f"{most >> 35} minutes, and SIGTERM ends it\n"
            "hint: remove such a file before the end, or keep it in a directory that is mounted\n"
        )
