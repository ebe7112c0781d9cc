"""Programs in Go, whose runtime makes its calls itself, from all its threads: as with real ids."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_hosts import ALL_IDS, ONE_ID, inside

# gosu becomes another user in all threads, and looks for him in passwd; umoci packs files and unpacks them with their owners.
USE = r"""
/gosu user id; /gosu 33:44 id
/gosu user sh -c 'touch /tmp/u; stat -c %u:%g /tmp/u; /gosu root id 2>&1 || echo refused'
cd /tmp; /umoci init --layout l; /umoci new --image l:t; /umoci unpack --image l:t b
mkdir b/rootfs/d; echo x >b/rootfs/d/f; ln -s f b/rootfs/d/l; mkfifo b/rootfs/d/p
chown -h 5:6 b/rootfs/d b/rootfs/d/l b/rootfs/d/p; chown 33:44 b/rootfs/d/f; chmod 4750 b/rootfs/d/f
/umoci repack --image l:u b; /umoci unpack --image l:u c; cd c/rootfs; stat -c '%n %u:%g %a' d d/f d/l d/p
"""
SHOWN = [
    "uid=1000(user) gid=1000(user) groups=1000(user),50(staff)", "uid=33 gid=44 groups=44", "1000:1000",
    'error: failed switching to "root": operation not permitted', "refused",
    "d 5:6 755", "d/f 33:44 4750", "d/l 5:6 777", "d/p 5:6 644",
]  # fmt: skip


@pytest.mark.full
@pytest.mark.own_store
def test_go_programs(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """A static one (gosu), and one that is linked with the machine's libraries."""
    need_program("apt-get")
    own = subprocess.run([need_program("dpkg"), "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    root = images.debian_packages(tmp_path, own, "gosu", "umoci")
    script = """
    rootless load -q -i "$1" >&2
    set -- "$@" -v /usr:/usr:ro -v /lib:/lib:ro; [ ! -d /lib64 ] || set -- "$@" -v /lib64:/lib64:ro
    use=$2; shift 2
    rootless run --rm --network none "$@" busybox:latest /bin/sh -c "$use"; rootless rmi -f busybox:latest >&2
    """
    mounts = ["-v", f"{root}/usr/sbin/gosu:/gosu:ro", "-v", f"{root}/usr/bin/umoci:/umoci:ro"]
    for namespace in (ALL_IDS, ONE_ID):
        done = inside(rootless, namespace, script, busybox_archive, USE, *mounts)
        assert done.stdout.splitlines() == SHOWN, (namespace, done.stderr)
