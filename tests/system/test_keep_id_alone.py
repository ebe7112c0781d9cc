"""--userns=keep-id of a user without a range: the one id there is, under its own number, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_hosts import ONE_ID, inside

# Under another number than in the namespace that stands for such a user, whose 0 it is there.
KEPT = "--network none --userns keep-id:uid=7,gid=8"


@pytest.mark.own_store
@pytest.mark.parametrize("driver", ["", "directory", "fuse-overlayfs"])
def test_oneself_alone(rootless: Rootless, busybox_archive: Path, tmp_path: Path, driver: str) -> None:
    """Without a root in it: nobody's capabilities, all files one's own, and from outside they have the numbers that it sees."""
    if driver == "fuse-overlayfs":
        need_program(driver)
    script = f"""
    export ROOTLESS_STORAGE_DRIVER="$3"; mkdir "$2/w"
    rootless load -q -i "$1" >&2
    rootless run -d --name box {KEPT} -v "$2/w:/w" -v vol:/v busybox:latest sleep 1000 >&2
    rootless exec box sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g; grep -E "Cap(Prm|Eff|Amb)" /proc/self/status'
    rootless exec box sh -c 'touch /new /w/new /v/new; chmod 4755 /new; stat -c "%n %u:%g %a" /new /w/new /v/new /bin/busybox /home/user'
    rootless exec -u 0 box true 2>&1 || echo refused
    rootless export box | tar tvf - --numeric-owner new
    rootless rm -f -t 0 box >&2
    stat -c %u:%g "$2/w/new"
    rootless run --rm --init -t {KEPT} busybox:latest sh -c 'stat -c %u $(tty) /dev/shm'
    rootless run --rm --network none --userns nomap busybox:latest true 2>&1
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path, driver)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:7] == ["7 0 1", "8 0 1", "7", "8", *(f"Cap{name}: {'0' * 16}" for name in ("Prm", "Eff", "Amb"))], done.stderr
    assert lines[7:12] == ["/new 7:8 4755", "/w/new 7:8 644", "/v/new 7:8 644", "/bin/busybox 7:8 755", "/home/user 7:8 755"]
    assert "the container's user namespace has 7:8 and no other id" in lines[12]
    assert lines[14] == "refused"
    assert lines[15].startswith("-rwsr-xr-x 7/8 0 ")
    assert lines[16:19] == ["0:0", "7", "7"]
    assert "--userns=nomap needs subordinate ids" in lines[19]


@pytest.mark.own_store
def test_who_joins_it(rootless: Rootless, busybox_archive: Path) -> None:
    """Nothing is emulated there: emulation takes a root. Its own id can be had, and what stands against another is said."""
    script = f"""
    rootless load -q -i "$1" >&2
    rootless run -d --name box {KEPT} busybox:latest sleep 1000 >&2
    rootless run --rm --network container:box -u 7:8 busybox:latest id -u
    rootless run --rm --network container:box -u 9 busybox:latest true 2>&1 || echo status $?
    rootless rm -f -t 0 box >&2
    """
    done = inside(rootless, ONE_ID, script, busybox_archive)
    mine, refused, hint, status = done.stdout.splitlines()
    assert (mine, status) == ("7", "status 125")
    assert "no other id" in refused
    assert "--user 7:8" in hint


@pytest.mark.own_store
def test_saved_and_taken_for_an_image(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """`run --shared --save` with one id: owners that were emulated are again what they were; with keep-id all is one's own."""
    for program in ("mksquashfs", "squashfuse_ll"):
        need_program(program)
    script = f"""
    cd "$2"; rootless load -q -i "$1" >&2
    look='stat -c "%n %u:%g %a" /f /d /home/user'
    rootless run --shared=one --network none --save root.sqsh busybox:latest sh -c "touch /f; chown 33:44 /f; chmod 4750 /f; mkdir /d
        chown 5:6 /d; exit 3" || echo status $?
    rootless run --rm --network none ./root.sqsh sh -c "$look; su user -c 'id -u'"
    rootless run --shared=two {KEPT} --save mine.sqsh busybox:latest sh -c "touch /f; mkdir /d; exit 4" || echo status $?
    rootless run --rm {KEPT} ./mine.sqsh sh -c "$look; touch /d/more"
    ls
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path)
    assert done.stdout.splitlines() == [
        "status 3", "/f 33:44 4750", "/d 5:6 755", "/home/user 1000:1000 755", "1000",
        "status 4", "/f 7:8 644", "/d 7:8 755", "/home/user 7:8 755", "mine.sqsh", "root.sqsh",
    ], done.stderr  # fmt: skip


@pytest.mark.own_store
@pytest.mark.parametrize("ids", [KEPT.removesuffix(":uid=7,gid=8"), "--network none --emulate-ids=off"])
def test_groups_that_the_image_gives(rootless: Rootless, busybox_archive: Path, ids: str) -> None:
    """Alpine's root is in eleven: no reason to refuse a start where there is one id. Those that somebody asks for are."""
    script = f"""
    rootless load -q -i "$1" >&2
    printf 'root:x:0:root\nbin:x:1:root\n' | rootless run -i --name made --network none busybox:latest sh -c 'cat >/etc/group'
    rootless commit -q made groups >&2
    rootless run --rm {ids} groups id -G
    rootless run --rm {ids} --group-add 5 groups true 2>&1 || echo status $?
    rootless rm -f -t 0 made >&2
    """
    done = inside(rootless, ONE_ID, script, busybox_archive)
    mine, refused, *_, status = done.stdout.splitlines()
    assert (mine, status) == ("0", "status 125"), done.stderr
    assert "supplementary groups need a range" in refused
