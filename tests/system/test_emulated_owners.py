"""Emulated owners where files go: builds, copies, tar streams, volumes, and a session that has a range by then."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_hosts import ALL_IDS, ONE_ID, inside

DOCKERFILE = """\
FROM busybox:latest AS first
RUN touch /f && chown 33:44 /f && chmod 4750 /f && mkdir /d && touch /d/in && chown -R 5:6 /d && id -u
USER user
RUN touch /tmp/users && stat -c %u /tmp/users && id -u
WORKDIR /srv/work
FROM busybox:latest
COPY --chown=7:8 Dockerfile /copied
COPY --from=first /f /f
COPY --from=first /d /d
COPY --from=first /srv /srv
ADD --chown=user tree.tar /added
RUN chown 5:6 /d
"""
BUILT = {"f": (33, 44), "d": (5, 6), "d/in": (5, 6), "copied": (7, 8), "srv/work": (1000, 1000), "added/t": (1000, 1000)}


@pytest.mark.own_store
def test_owners_in_builds_copies_and_volumes(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """Steps run as other users, what is copied is whose it is said to be, in layers, tar streams, volumes and on the host; by each
    storage driver."""
    need_program("fuse-overlayfs")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    with tarfile.open(tmp_path / "tree.tar", "w") as tar:
        tar.addfile(entry := tarfile.TarInfo("t"))
        entry.uid, entry.gid, entry.name, entry.mode = 9, 10, "stream", 0o4711
        with tarfile.open(tmp_path / "in.tar", "w") as other:
            other.addfile(entry)
    script = r"""
    rootless load -q -i "$1" >&2; cd "$2"
    rootless build --progress plain -t built:latest . >&2
    rootless save -o save.tar built:latest
    seen() { rootless run --rm --network none "$@"; }
    seen built:latest stat -c '%n %u:%g %a' /f /d/in /copied /srv/work /added/t
    rootless create --name box -v vol:/d built:latest sleep 1000 >&2
    rootless cp -q - box:/tmp <in.tar
    rootless cp -q -a box:/f "$2/kept"; rootless cp -q box:/f "$2/plain"
    rootless cp box:/f - >out.tar
    rootless start box >&2
    rootless cp -q -a "$2/kept" box:/again; rootless cp -q "$2/kept" box:/mine
    rootless exec box stat -c '%n %u:%g %a' /tmp/stream /again /mine /d /d/in
    rootless exec box sh -c 'touch /d/new; chown 11:12 /d/new'
    rootless cp box:/d - >volume.tar
    rootless exec box chown 50 /srv /added/t; rootless diff box | grep -e /srv -e /added/t
    rootless volume export -o exported.tar vol
    rootless volume create other >&2; rootless volume import other exported.tar
    seen -v other:/d busybox:latest stat -c '%n %u:%g' /d /d/in /d/new
    rootless rm -f box >&2
    mkdir given; touch given/f
    seen -u user -v "$2/given:/d:U" busybox:latest sh -c 'stat -c %U /d /d/f; touch /d/mine'
    rootless pod create p >&2; rootless run -d --pod p --name one busybox:latest sleep 1000 >&2
    rootless run --rm --pod p -u 33:44 busybox:latest sh -c 'id -u; touch /tmp/x; stat -c %u:%g /tmp/x'
    rootless exec one su user -c 'id -u'
    rootless pod rm -f p >&2
    export ROOTLESS_STORAGE_DRIVER=directory
    rootless run --name copy --network none busybox:latest sh -c 'chown 5:6 /etc/passwd /tmp'
    rootless diff copy | grep -e passwd -e tmp; rootless commit -q copy copied >&2
    seen copied stat -c '%n %u:%g' /etc/passwd /tmp; rootless rm copy >&2
    export ROOTLESS_STORAGE_DRIVER=fuse-overlayfs
    rootless run -d --name fused --network none busybox:latest sleep 1000 >&2
    rootless exec fused sh -c 'touch /g; chown 5:6 /g; chown 7:8 /home/user; chown 9 /bin/busybox'
    rootless restart -t 0 fused >&2; rootless exec -u user fused id -u; rootless commit -q fused below >&2; rootless rm -f fused >&2
    seen below stat -c '%n %u:%g' /g /home/user /bin/busybox
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "/f 33:44 4750", "/d/in 5:6 644", "/copied 7:8 644", "/srv/work 1000:1000 755", "/added/t 1000:1000 644",
        "/tmp/stream 9:10 4711", "/again 33:44 750", "/mine 0:0 750", "/d 5:6 755", "/d/in 5:6 644",
        "C /added/t", "C /srv", "/d 5:6", "/d/in 5:6", "/d/new 11:12",
        "user", "user", "33", "33:44", "1000",
        "C /etc/passwd", "C /tmp", "/etc/passwd 5:6", "/tmp 5:6",
        "1000", "/g 5:6", "/home/user 7:8", "/bin/busybox 9:0",
    ]  # fmt: skip
    with tarfile.open(tmp_path / "save.tar") as saved:
        found = owners_in(*(data for entry in saved if entry.isfile() and (data := saved.extractfile(entry).read())[257:262] == b"ustar"))  # type: ignore[union-attr]
    assert {name: found[name] for name in BUILT} == BUILT
    assert owners_in((tmp_path / "out.tar").read_bytes()) == {"f": (33, 44)}
    assert owners_in((tmp_path / "volume.tar").read_bytes()) == {"d": (5, 6), "d/in": (5, 6), "d/new": (11, 12)}
    assert owners_in((tmp_path / "exported.tar").read_bytes())["new"] == (11, 12)
    assert "user.containers.override_stat" in os.listxattr(tmp_path / "kept")
    assert not os.listxattr(tmp_path / "plain")
    assert (tmp_path / "given/mine").stat().st_uid == os.getuid()


@pytest.mark.own_store
def test_fuse_overlayfs(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """It takes no record from us, and one at a layer's top for a sign: builds give owners all the same, and "/" may be anybody's."""
    need_program("fuse-overlayfs")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.replace("ADD --chown=user tree.tar /added\n", ""))
    script = r"""
    export ROOTLESS_STORAGE_DRIVER=fuse-overlayfs
    rootless load -q -i "$1" >&2; cd "$2"
    rootless build --progress plain -t built:latest . >&2
    rootless run --rm --network none built:latest stat -c '%n %u:%g %a' /f /d/in /copied /srv/work
    rootless run --name top --network none busybox:latest sh -c 'chown 33:44 /; touch /etc/a; chown 5:6 /etc/a'
    rootless start top; rootless wait top >&2; rootless export top | rootless import - theirs >&2; rootless rm top >&2
    rootless run --rm --network none theirs sh -c 'echo more >>/etc/a; stat -c "%n %u:%g" /etc/a'
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "/f 33:44 4750", "/d/in 5:6 644", "/copied 7:8 644", "/srv/work 1000:1000 755", "top", "/etc/a 5:6",
    ]  # fmt: skip


@pytest.mark.own_store
def test_a_range_that_comes_later(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """A container and an image from before keep their owners, since their ids stay emulated; what is new has real ids."""
    before = """
    rootless load -q -i "$1" >&2
    rootless run --name box --network none busybox:latest sh -c 'touch /f; chown 33:44 /f; chmod 4750 /f'
    rootless create --name other busybox:latest stat -c %u /home/user >&2
    rootless cp -q box:/f - >"$2/before.tar"
    printf 'FROM scratch\nCOPY --from=busybox:latest /bin /bin\nRUN mkdir /d && ln -s x /d/l && chown -hR 5:6 /d\n' >"$2/Dockerfile"
    rootless build -q -t ran:latest "$2" >&2
    """
    after = """
    rootless start -a box
    rootless start -a other
    rootless run --rm --network none ran:latest stat -c '%n %u:%g' /d /d/l
    rootless inspect -f '{{.EmulatedIds.Level}}' box other
    rootless commit -q box kept >&2
    rootless cp -q box:/f - >"$2/after.tar"
    rootless run --rm --network none kept stat -c '%n %u:%g %a' /f
    rootless save -o "$2/save.tar" busybox:latest; rootless rm box other >&2; rootless rmi -f kept busybox:latest >&2
    rootless load -q -i "$2/save.tar" >&2
    rootless run --name new --network none busybox:latest sh -c 'stat -c %u /home/user; wc -l </proc/self/uid_map; chown 5 /tmp'
    rootless inspect -f '{{.EmulatedIds.Level}}.' new
    rootless rm new >&2
    """
    assert inside(rootless, ONE_ID, before, busybox_archive, tmp_path).returncode == 0
    done = inside(rootless, ALL_IDS, after, busybox_archive, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["1000", "/d 5:6", "/d/l 5:6", "full", "full", "/f 33:44 4750", "1000", "2", "."]
    for name in ("before", "after"):
        assert owners_in((tmp_path / f"{name}.tar").read_bytes()) == {"f": (33, 44)}


@pytest.mark.own_store
def test_the_store_is_deleted_without_a_helper(rootless: Rootless, busybox_archive: Path) -> None:
    """By the user alone, outside of any namespace, whatever owners and modes its files have for containers."""
    script = """
    rootless load -q -i "$1" >&2
    rootless run --name box --network none -v vol:/v busybox:latest sh -c '
        for d in /d /v/d; do mkdir -p $d/in && touch $d/in/f && mkfifo $d/in/p && ln -s x $d/in/l &&
            chown -hR 33:44 $d && chmod 0 $d/in $d; done'
    """
    done = inside(rootless, ONE_ID, script, busybox_archive)
    assert done.returncode == 0, done.stderr
    store = rootless.environment["ROOTLESS_ROOT"]
    subprocess.run(["sh", "-ec", 'chmod -R u+rwX "$1"; rm -rf "$1"', "sh", store], check=True, capture_output=True, timeout=60)
    assert not os.path.exists(store)


@pytest.mark.own_store
def test_a_range_that_is_taken_away(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """What was made with it still starts, and is told to be nobody's; it is removed as far as can be, with who can do the rest."""
    before = """
    rootless load -q -i "$1" >&2
    rootless run --name box --network none -v vol:/v busybox:latest sh -c 'mkdir -m 700 /d /v/d && touch /d/x /v/d/x &&
        chown -R 5:6 /d /v/d' >&2
    rootless create --name fresh busybox:latest sh -c 'id -u; su user -c "id -u"; touch /f; chown 7:8 /f; stat -c %u /f' >&2
    """
    after = """
    rootless start -a fresh; rootless start -a box || true
    rootless rm box || echo $?
    rootless volume rm vol || echo $?
    rootless ps -aq | wc -l; rootless volume ls -q | wc -l
    rootless rm fresh >&2; rootless rmi -f busybox:latest >&2; rootless load -q -i "$1" >&2
    rootless run --rm --network none busybox:latest stat -c %u /home/user 2>"$2/told"
    """
    again = 'rootless system prune -f --volumes >&2; cd "$ROOTLESS_ROOT"; ls -A containers volumes | grep -c rm- || true'
    assert inside(rootless, ALL_IDS, before, busybox_archive).returncode == 0
    done = inside(rootless, ONE_ID, after, busybox_archive, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["0", "1000", "7", "1", "1", "1", "0", "1000"]
    assert done.stderr.count("the image was unpacked when you had a range of ids") == 2
    assert done.stderr.count("files there belong to ids that you have no more") == 2
    assert "range of ids" not in (tmp_path / "told").read_text()
    assert inside(rootless, ALL_IDS, again).stdout == "0\n"


@pytest.mark.own_store
def test_a_reset_without_the_range_says_who_can_do_the_rest(rootless: Rootless, busybox_archive: Path) -> None:
    """It told its user to end what still uses the store."""
    before = """
    rootless load -q -i "$1" >&2
    rootless run --network none -v vol:/v busybox:latest sh -c 'mkdir -m 700 /v/d && touch /v/d/x && chown -R 5:6 /v/d' >&2
    """
    assert inside(rootless, ALL_IDS, before, busybox_archive).returncode == 0
    done = inside(rootless, ONE_ID, "rootless system reset -f")
    assert done.returncode == 1
    assert "hint: files there belong to ids that you have no more: try again once your range" in done.stderr
    assert inside(rootless, ALL_IDS, "rootless system reset -f").returncode == 0


def owners_in(*archives: bytes) -> dict[str, tuple[int, int]]:
    """The owners of what is in tar archives, by name; no archive says them in an attribute, too."""
    found = {}
    for data in archives:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for entry in tar:
                found[entry.name.removeprefix("./")] = (entry.uid, entry.gid)
                assert not any("override_stat" in key for key in entry.pax_headers)
    return found
