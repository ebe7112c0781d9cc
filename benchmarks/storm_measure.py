"""What one node asks of a shared store at a start, for storm.py: `python -m benchmarks.storm_measure [IMAGE COMMAND...]`.

IMAGE has to be in the caller's store, with strace(1) in it (default: storm, by
`rootless bootstrap --include python3-numpy,strace --tag storm debian:bookworm`). Prints the figures as JSON:

    lookups    paths that the command asks for, found or not: each is one request of a node, which then caches the answer
    opens      files that it opens: each is a request of every rank, for a file's lock or its consistency is looked at again
    bytes      of files, that come from a cold disk, the kernel's reading ahead included
    engine     files of the store that `rootless run` itself looks at
    local_s    seconds of one warm start
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DEFAULT = ["storm", "python3", "-c", "import numpy"]
_CALL = re.compile(r'^\d+ +(?:\[pid +\d+\] )?(\w+)\((?:AT_FDCWD, )?"([^"]*)"(.*)= (-?\d+)')


def run(*words: str) -> str:
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def traced(text: str, below: str = "/") -> tuple[int, int]:
    """Of strace's output: how many paths `below` are looked up, and how many opens of such succeed."""
    paths, opens = set(), 0
    for line in text.splitlines():
        found = _CALL.match(line)
        if found is None or not found[2].startswith(below) or found[2].startswith(("/proc", "/sys", "/dev")):
            continue
        paths.add(found[2])
        opens += found[1].startswith(("open", "exec")) and int(found[4]) >= 0
    return len(paths), opens


def forget(paths: list[Path]) -> None:
    """Have the kernel drop what it caches of these files."""
    for path in paths:
        fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def cached(paths: list[Path]) -> int:
    """Bytes of these files in memory, by fincore(1)."""
    total = 0
    for i in range(0, len(paths), 500):
        sizes = run("fincore", "-b", "-n", "-r", "-o", "RES", *(str(path) for path in paths[i : i + 500]))
        total += sum(int(word) for word in sizes.split())
    return total


def timed(*words: str) -> float:
    """Seconds of the fastest of three, after one that warms up."""
    taken = []
    for _ in range(4):
        began = time.monotonic()
        run(*words)
        taken.append(time.monotonic() - began)
    return round(min(taken[1:]), 3)


def measure(image: str, command: list[str]) -> dict[str, Any]:
    data = os.environ.get("ROOTLESS_ROOT") or os.path.expanduser("~/.local/share/rootless")
    start = ("rootless", "run", "--rm", "--network", "none")
    inside = run(*start, image, "sh", "-c", 'strace -f -o /trace -e trace=%file "$@" >&2; cat /trace', "-", *command)
    lookups, opens = traced(inside)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        run("strace", "-f", "-o", f"{scratch}/trace", "-e", "trace=%file", *start, image, "true")
        engine = traced(Path(scratch, "trace").read_text(errors="replace"), data)
        (layer,) = json.loads(run("rootless", "image", "inspect", image))[0]["RootFS"]["Layers"]
        tree = Path(data, "layers", layer.partition(":")[2])
        files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)]
        local = {"unpacked": timed(*start, image, *command)}
        forget(files)
        run(*start, image, *command)
        unpacked = cached(files)

        squashfs = Path(scratch, "image.sqsh")
        name = run("rootless", "create", image, "true").strip()
        os.mkdir(f"{scratch}/tree")
        run("sh", "-c", f"rootless export {name} | tar -x --no-same-owner -C {scratch}/tree && chmod -R u+rwX {scratch}/tree")
        run("rootless", "rm", name)
        options = ("-all-root", "-comp", "zstd", "-Xcompression-level", "3", "-quiet", "-no-progress")
        run("mksquashfs", f"{scratch}/tree", str(squashfs), *options)
        run("rm", "-rf", f"{scratch}/tree")
        forget([squashfs])
        run(*start, str(squashfs), *command)
        packed = cached([squashfs])
        local["squashfs"] = timed(*start, str(squashfs), *command)
        size = squashfs.stat().st_size
    return {
        "command": command, "files": len(files), "lookups": lookups, "opens": opens, "engine": engine[0], "local_s": local,
        "bytes": {"unpacked": unpacked, "squashfs": packed, "whole": size},
    }  # fmt: skip


if __name__ == "__main__":
    words = sys.argv[1:] or DEFAULT
    print(json.dumps(measure(words[0], words[1:]), indent=1))
