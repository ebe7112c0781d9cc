"""The shared libraries of a driver: where the host has them, and where an image's own loader finds them.

An image has a loader and a libc of its own, and the driver's libraries are the host's. A directory that the loader looks into without
its cache is the one its libc lies in: there they are bound, one by one, under the names that they are loaded by. So neither the
image's /etc/ld.so.cache nor LD_LIBRARY_PATH, which a set-user-id program and `env -i` do not have, is touched.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import subprocess
from typing import NamedTuple

from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2

_TRIPLETS = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}
_TAGS = {"x86_64": "x86-64", "aarch64": "AArch64"}
_WITHOUT_CACHE = ("/run/opengl-driver/lib",)  # NixOS has no cache for the machine
_LINE = re.compile(r"\s+(\S+) \(([^)]*)\) => (/.*)")
_LARGEST_LIBC = 32 << 20
_HEAD = 4 << 20  # the names of the versions that a library wants lie near its beginning


class ImageLibc(NamedTuple):
    """The directory in the image that has its libc, and glibc's version, (2, 36); (0, 0) where it does not say."""

    directory: str
    version: tuple[int, int]


def cached(root: str = "") -> dict[str, str]:
    """The libraries that the host's loader knows, of its own processor's kind: the files, links followed, by the names that they
    are loaded by. From ldconfig(8); empty without it. `root`: of another tree than the machine's own."""
    found: dict[str, str] = {}
    for directory in _WITHOUT_CACHE:
        if os.path.isdir(root + directory):
            found |= {name: os.path.realpath(f"{root}{directory}/{name}") for name in sorted(os.listdir(root + directory))}
    program = shutil.which("ldconfig", path="/sbin:/usr/sbin:/usr/bin")
    cache = f"{root}/etc/ld.so.cache"
    if program is None or not os.path.exists(cache):
        return found
    done = subprocess.run([program, "-p", "-C", cache], env={"LC_ALL": "C"}, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="surrogateescape", check=False)  # fmt: skip
    tag = _TAGS.get(platform.machine(), "")
    for line in done.stdout.splitlines():
        match = _LINE.fullmatch(line)
        # Of one name the first is what the loader takes.
        if match and tag in match[2].split(",") and match[1] not in found:
            found[match[1]] = os.path.realpath(root + match[3])
    return found


def of_image(root_fd: int) -> ImageLibc | None:
    """Where the image's glibc is, by a path without links, which is what a mount there shows as in the image's files; None where it
    has none (musl's, or no libc at all). The image may be anybody's."""
    triplet = _TRIPLETS.get(platform.machine(), "")
    for directory in (f"/usr/lib/{triplet}", f"/lib/{triplet}", "/usr/lib64", "/lib64", "/usr/lib", "/lib"):
        try:
            place = openat2(root_fd, f".{directory}", os.O_PATH | os.O_CLOEXEC, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
        except OSError:
            continue
        os.close(place)
        try:
            fd = openat2(root_fd, f".{directory}/libc.so.6", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC,
                         resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)  # fmt: skip
        except OSError:
            continue
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                continue
            text = re.search(rb"GNU C Library [^\0]{0,100}? version (\d+)\.(\d+)", file.read(_LARGEST_LIBC))
        return ImageLibc(directory, (int(text[1]), int(text[2])) if text else (0, 0))
    return None


def wanted_glibc(path: str) -> tuple[int, int]:
    """The least glibc that the library of the host wants, by the versions of the symbols it names; (0, 0) where it names none."""
    with open(path, "rb") as file:
        names = re.findall(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)", file.read(_HEAD))
    return max(((int(major), int(minor)) for major, minor in names), default=(0, 0))
