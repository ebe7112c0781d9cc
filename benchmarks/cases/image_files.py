"""A start from a squashfs file beside one from an unpacked image, and all files of a tree looked at, in both.

Warm: the file is mounted already, and its pages are in memory.
"""

from __future__ import annotations

import subprocess

from benchmarks.measure import Contender, Row, command, interleaved
from benchmarks.world import IMAGE, World

_TREE = "/usr/lib"
_FIND = "/usr/bin/find {} -xdev -printf %s >/dev/null"
_HOST = [word for path in ("/usr", "/lib", "/lib64") for word in ("-v", f"{path}:{path}:ro")]


def measure(world: World) -> list[Row]:
    """Milliseconds."""
    image, tree = world.directory / "image.sqfs", world.directory / "tree.sqfs"
    for source, target in ((str(world.rootfs), image), (_TREE, tree)):
        done = subprocess.run(
            [*world.rootless.argv, "image", "pack", "-o", target, source], env=world.rootless.environment, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))
    rows = interleaved(
        "run --rm /bin/true, from a squashfs file",
        [_ours(world, "rootless", [], str(image), "/bin/true"), _ours(world, "unpacked", [], IMAGE, "/bin/true")],
        rounds=15, warm_up=2, goals={"unpacked": 1.15},
    )  # fmt: skip
    mounted = [*_HOST, "--mount", f"type=squashfs,source={tree},target=/tree"]
    return rows + interleaved(
        "find with sizes, in a squashfs file",
        [
            _ours(world, "rootless", mounted, IMAGE, "/bin/sh", "-c", _FIND.format("/tree")),
            _ours(world, "unpacked", _HOST, IMAGE, "/bin/sh", "-c", _FIND.format(_TREE)),
        ],
        rounds=7, warm_up=2, goals={"unpacked": 4},
    )  # fmt: skip


def _ours(world: World, name: str, options: list[str], *words: str) -> Contender:
    argv = [*world.rootless.argv, "run", "--rm", "--network", "none", *options, *words]
    return Contender(name, command(argv, world.rootless.environment))
