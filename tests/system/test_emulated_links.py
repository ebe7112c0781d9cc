"""Owners of files, links and pipes through everything that keeps files: the same with emulated ids as with real ones."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_emulated_owners import owners_in
from tests.system.test_hosts import ALL_IDS, ONE_ID, inside

DOCKERFILE = """\
FROM busybox:latest
ADD tree.tar /i
RUN mkdir /r && cd /r && touch file && ln -s x link && ln -s x second && mkfifo pipe && chown -h 7:8 *
RUN cd /r && chown 5:6 . && rm second && ln -s y second
RUN touch -h /i/touched && mv /i/moved /i/here && ln /i/linked /i/also && chown -h 9 /i/given && chmod 600 /i/pipe
COPY --from=busybox:latest /bin/busybox /c/busybox
"""
SCRIPT = r"""
mkdir -p "$2/store"; export ROOTLESS_ROOT="$2/store"; cd "$2"
rootless load -q -i "$1" >&2
rootless build -q -t built:latest . >&2
rootless run -d --name box --network none built:latest sleep 1000 >&2
look() { "$@" sh -c 'cd /; find i r c ! -name busybox -exec stat -c "%n %u:%g %a %F" {} + | sort'; echo; }
look rootless exec box
rootless exec box sh -c 'cd /i; mv box-moves box-moved; touch -h box-touches; ln box-links box-linked'
rootless exec box sh -c 'cd /i; rm anew newfile; ln -s x anew; touch newfile'
rootless exec box sh -c 'cd /r; mv link moved; chown -h 21:22 second; ln -s z new; chown -h 23 new; chmod 640 pipe'
look rootless exec box
rootless export -o live.tar box; rootless cp box:/i - >copied.tar
rootless stop -t 0 box >&2; rootless start box >&2
look rootless exec box
rootless diff box | grep -e /i -e /r | sort
rootless commit -q box kept:latest >&2
rootless export -o export.tar box; rootless stop -t 0 box >&2; rootless export -o stopped.tar box; rootless cp box:/i - >copied2.tar
look rootless run --rm --network none kept:latest
rootless build -q -o type=tar,dest=files.tar . >&2
rootless rm -f box >&2
rootless save -o save.tar kept:latest; rootless rmi -f kept:latest >&2; rootless load -q -i save.tar >&2
look rootless run --rm --network none kept:latest
"""
OTHER = r"""
mkdir -p "$2/other"; export ROOTLESS_ROOT="$2/other"; cd "$2"
rootless load -q -i "$1" >&2
rootless run --rm --network none kept:latest sh -c 'cd /; find i r c ! -name busybox -exec stat -c "%n %u:%g %a %F" {} + | sort'
"""
NAMES = ("plain", "touched", "moved", "linked", "given", "box-moves", "box-touches", "box-links", "anew")


def tree(path: Path) -> None:
    """Links, a pipe, files, a directory and a hard link of a link, all somebody's."""
    kinds = {tarfile.SYMTYPE: NAMES, tarfile.FIFOTYPE: ("pipe",), tarfile.REGTYPE: ("newfile", "file"), tarfile.DIRTYPE: ("d",)}
    with tarfile.open(path, "w") as tar:
        for kind, names in kinds.items():
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname, entry.uid, entry.gid, entry.mode = kind, "target", 33, 44, 0o755
                tar.addfile(entry, io.BytesIO())
        entry = tarfile.TarInfo("hard")
        entry.type, entry.linkname = tarfile.LNKTYPE, "plain"
        tar.addfile(entry)


@pytest.mark.own_store
@pytest.mark.timeout(600)
def test_all_agree_with_real_ids(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """Image, container, stop, start, commit, export, cp, diff, save, load, and then the other kind of host; by each driver."""
    need_program("fuse-overlayfs")
    said, archives = {}, {}
    for name, namespace in (("real", ALL_IDS), ("overlay", ONE_ID), ("directory", ONE_ID), ("fuse-overlayfs", ONE_ID)):
        place = tmp_path / name
        place.mkdir()
        (place / "Dockerfile").write_text(DOCKERFILE)
        tree(place / "tree.tar")
        script = SCRIPT if name == "real" else SCRIPT.replace("rootless run -d", f"ROOTLESS_STORAGE_DRIVER={name} rootless run -d")
        if name == "fuse-overlayfs":  # which cannot copy a pipe up (1.10)
            script = script.replace("; chmod 640 pipe", "")
        done = inside(rootless, namespace, script, busybox_archive, place, timeout_s=300)
        assert done.returncode == 0, done.stderr
        said[name] = done.stdout.splitlines()
        archives[name] = {
            each: owners_in((place / each).read_bytes())
            for each in ("live.tar", "export.tar", "stopped.tar", "copied.tar", "copied2.tar", "files.tar")
        }
    assert said["overlay"] == said["real"]
    assert said["directory"] == [line for line in said["real"] if line != "C /i/box-links"]  # a copy changes by no second name
    assert "i/given 9:44 777 symbolic link" in said["real"]
    assert "C /r/pipe" in said["real"]
    real = [line.replace("r/pipe 7:8 640", "r/pipe 7:8 644") for line in said["real"] if line != "C /r/pipe"]
    assert said["fuse-overlayfs"] == real
    assert archives["overlay"] == archives["directory"] == archives["fuse-overlayfs"] == archives["real"]
    for name, other in (("real", ONE_ID), ("overlay", ALL_IDS)):
        done = inside(rootless, other, OTHER, tmp_path / name / "save.tar", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == said["real"][-len(done.stdout.splitlines()) - 1 : -1]


TOUCHED = """
import os
pipe = os.open("/i/pipe", os.O_RDWR)
os.utime(pipe, (1, 2))
found = os.stat("/i/pipe")
print(found.st_uid, found.st_gid, int(found.st_mtime))
"""


@pytest.mark.own_store
def test_a_pipe_of_the_image_s_whose_times_are_set_by_descriptor(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """It is copied up, and was root's then."""
    tree(tmp_path / "tree.tar")
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\nADD tree.tar /i\n")
    host = " ".join(f"-v {path}:{path}:ro" for path in ("/usr", "/lib", "/lib64"))
    script = f"""
    rootless load -q -i "$1" >&2; cd "$2"; rootless build -q -t built:latest . >&2
    rootless run --rm --network none {host} built:latest /usr/bin/python3 -c "$3"
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path, TOUCHED)
    assert done.stdout == "33 44 2\n", done.stderr
