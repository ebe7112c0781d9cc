"""--userns: a container of its own ids, by fuse-overlayfs and by a copy."""

from __future__ import annotations

import io
import os
import pwd
import tarfile
from pathlib import Path

import pytest

from rootless.engine.options import userns
from rootless.engine.state import user_namespace
from rootless.errors import InvalidInput, NotSupported
from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.trees import remove_tree
from tests.need import need, need_real_ids

LOOK = (
    "cat /proc/self/uid_map; stat -c %u:%g /bin/busybox /home/user; touch /tmp/new && stat -c %u:%g /tmp/new"
)


@pytest.fixture(params=["", "directory"])
def way(request: pytest.FixtureRequest) -> dict[str, str]:
    """fuse-overlayfs where it can be had, and the copy."""
    need(request.param or os.access("/dev/fuse", os.W_OK), "/dev/fuse cannot be used")
    return {"ROOTLESS_STORAGE_DRIVER": request.param} if request.param else {}


def look(
    rootless: Rootless, image: str, mode: str, way: dict[str, str], *options: str
) -> tuple[list[list[int]], list[str]]:
    done = rootless(
        "run",
        "--rm",
        "--network",
        "none",
        f"--userns={mode}",
        *options,
        image,
        "sh",
        "-c",
        LOOK,
        env=way,
        warns=True,
    )
    lines = [line for line in done.lines if ":" not in line]
    return [[int(word) for word in line.split()] for line in lines], [
        line for line in done.lines if ":" in line
    ]


@pytest.mark.real_ids("test_keep_id_alone.py has the others'")
def test_auto_ranges_are_disjoint(rootless: Rootless, busybox_image: str, way: dict[str, str]) -> None:
    names = ("one", "two", "three")
    for name in names:
        rootless(
            "run",
            "-d",
            "--name",
            name,
            "--network",
            "none",
            "--userns=auto",
            busybox_image,
            "sleep",
            "60",
            env=way,
            warns=True,
        )
    ids: list[set[int]] = []
    for name in names:
        extents = [
            [int(word) for word in line.split()]
            for line in rootless("exec", name, "cat", "/proc/1/uid_map").lines
        ]
        ids.append({outside + n for _, outside, size in extents for n in range(size)})
        assert [extent[0] for extent in extents] == [0, 65534]
        assert rootless("exec", name, "stat", "-c", "%u:%g", "/bin/busybox", "/home/user").lines == [
            "0:0",
            "1000:1000",
        ]
        assert rootless("exec", name, "id", "-u").stdout == "0\n"
    assert len(ids[0] | ids[1] | ids[2]) == 3 * 1025
    assert 0 not in ids[0] | ids[1] | ids[2]
    rootless("rm", "-f", "two")
    rootless(
        "run",
        "-d",
        "--name",
        "four",
        "--network",
        "none",
        "--userns=auto",
        busybox_image,
        "sleep",
        "60",
        env=way,
        warns=True,
    )
    assert str(min(ids[1])) in rootless("exec", "four", "cat", "/proc/1/uid_map").stdout
    rootless("rm", "-f", "one", "three", "four")


@pytest.mark.real_ids("test_keep_id_alone.py has the others'")
def test_auto_size(rootless: Rootless, busybox_image: str, way: dict[str, str]) -> None:
    extents, owners = look(rootless, busybox_image, "auto:size=2000", way)
    assert extents[0][2] == 2000
    assert owners == ["0:0", "1000:1000", "0:0"]
    done = rootless("run", "--rm", "--userns=auto:size=9999999", busybox_image, "true", status=125)
    assert "ids are left" in done.stderr


@pytest.mark.real_ids("test_keep_id_alone.py has the others'")
def test_keep_id(rootless: Rootless, busybox_image: str, tmp_path: Path, way: dict[str, str]) -> None:
    own = os.getuid()
    extents, owners = look(rootless, busybox_image, "keep-id", way)
    assert [own, 0, 1] in extents
    assert owners == ["0:0", "1000:1000", f"{own}:{os.getgid()}"]
    script = "touch /w/file; stat -c %u /w/file; id -u"
    out = rootless("run", "--rm", "--network", "none", "--userns=keep-id:uid=7,gid=8", "-v", f"{tmp_path}:/w", busybox_image,
                   "sh", "-c", script, env=way, warns=True)  # fmt: skip
    assert out.lines == ["7", "7"]
    assert (tmp_path / "file").stat().st_uid == own
    assert (tmp_path / "file").stat().st_gid == os.getgid()


def test_keep_id_is_somebody(rootless: Rootless, busybox_image: str, tmp_path: Path, way: dict[str, str]) -> None:
    """A line where the image has none; of a read-only container, too, and once however often it is started."""
    me = pwd.getpwuid(os.getuid())
    options = ("--network", "none", "--userns=keep-id")
    look = "id -un; id -gn; cat /etc/passwd | tail -n +4; grep -c . /etc/passwd; echo $HOME"
    rootless("create", "--name", "who", *options, "--read-only", "-w", "/tmp", busybox_image, "sh", "-c", look, env=way, warns=True)
    line = f"{me.pw_name}:*:{me.pw_uid}:{os.getgid()}:{me.pw_name}:/tmp:/bin/sh"
    for _ in range(2):
        assert rootless("start", "-a", "who", env=way, warns=True).lines == [me.pw_name, me.pw_name, line, "4", "/tmp"]
    rootless("rm", "who")
    known = rootless("run", "--rm", "--network", "none", "--userns=keep-id:uid=1000,gid=1000", busybox_image, "sh", "-c",
                     "id -un; grep -c . /etc/passwd", env=way, warns=True)  # fmt: skip
    assert known.lines == ["user", "3"]
    # A file of the host's that is mounted there is the host's.
    mine = tmp_path / "passwd"
    mine.write_text("root:x:0:0::/:/bin/sh\n")
    rootless("run", "--rm", *options, "-v", f"{mine}:/etc/passwd", busybox_image, "true", env=way, warns=True)
    assert mine.read_text() == "root:x:0:0::/:/bin/sh\n"


@pytest.mark.real_ids("test_keep_id_alone.py has the others'")
def test_nomap_keeps_the_caller_out(
    rootless: Rootless, busybox_image: str, tmp_path: Path, way: dict[str, str]
) -> None:
    extents, owners = look(rootless, busybox_image, "nomap", way)
    assert [extent[:2] for extent in extents] == [[0, 1]]
    assert owners == ["0:0", "1000:1000", "0:0"]
    (tmp_path / "mine").write_text("x")
    (tmp_path / "mine").chmod(0o600)
    done = rootless("run", "--rm", "--network", "none", "--userns=nomap", "-v", f"{tmp_path}:/w", busybox_image,
                    "sh", "-c", "cat /w/mine; touch /w/other", status=1, env=way, warns=True)  # fmt: skip
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_host_is_the_sessions(rootless: Rootless, busybox_image: str) -> None:
    extents, owners = look(rootless, busybox_image, "host", {})
    assert extents[0][:2] == [0, 0]
    assert owners == ["0:0", "1000:1000", "0:0"]


@pytest.mark.real_ids("test_keep_id_alone.py has the others'")
def test_a_volume_belongs_to_the_first(rootless: Rootless, busybox_image: str, way: dict[str, str]) -> None:
    options = ("--rm", "--network", "none", "--userns=auto", "-v", "kept:/home/user")
    script = "touch /home/user/x && stat -c %u /home/user /home/user/x"
    out = rootless("run", *options, busybox_image, "sh", "-c", script, env=way, warns=True)
    assert out.lines == ["1000", "0"]
    rootless("volume", "rm", "kept")


@pytest.mark.real_ids("test_keep_id_alone.py has the others'")
def test_with_keep_id_a_new_volume_is_the_user_s(rootless: Rootless, busybox_image: str, way: dict[str, str]) -> None:
    """As Podman's; where the image has something, that is whose it is there, and what is in use stays whose it is."""
    words = ("run", "--rm", "--network", "none", "-v", "new:/new", "-v", "kept:/home/user", "-v", "etc:/etc")
    look = (busybox_image, "stat", "-c", "%u:%g", "/new", "/home/user", "/etc")
    own = f"{os.getuid()}:{os.getgid()}"
    for mode, first in (("keep-id", own), ("keep-id:uid=7,gid=8", "7:8")):
        for _ in range(2):
            found = rootless(*words, f"--userns={mode}", *look, env=way, warns=True).lines
            assert found == [first, "1000:1000", "0:0"]
        rootless("volume", "rm", "new", "kept", "etc")
    for user, first in (("0:0", "0:0"), ("user", "1000:1000")):
        found = rootless(*words, "--userns=keep-id", "-u", user, *look, env=way, warns=True).lines
        assert found == [first, "1000:1000", "0:0"]
        rootless("volume", "rm", "new", "kept", "etc")


def owners_in(tar: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return {member.name.removeprefix("./"): f"{member.uid}:{member.gid}" for member in archive}


@pytest.fixture(params=["keep-id", "auto", "nomap", "host"])
def mode(request: pytest.FixtureRequest) -> str:
    if request.param != "host":
        need_real_ids("test_keep_id_alone.py has the others'")
    return str(request.param)


def test_files_have_the_containers_owners_from_outside(
    rootless: Rootless, busybox_image: str, tmp_path: Path, way: dict[str, str], mode: str
) -> None:
    """diff, export and cp, while it runs and when it has ended."""
    script = "echo x >/etc/new; chown 1000:50 /etc/new; chown 33:33 /etc/group; exec sleep 1000"
    rootless("run", "-d", "--name", "odd", "--network", "none", f"--userns={mode}", "--user", "0", "-v", "first:/home/user",
             busybox_image, "sh", "-c", script, env=way, warns=True)  # fmt: skip
    wait_until(lambda: "/etc/group" in rootless("diff", "odd", env=way).stdout, "the container's changes")
    expected = {"bin/busybox": "0:0", "etc/new": "1000:50", "etc/passwd": "0:0", "etc/group": "33:33"}
    for ended in (False, True):
        found = owners_in(rootless("export", "odd", env=way).raw)
        assert {name: found[name] for name in expected} == expected
        assert not [name for name in found if name.startswith(("proc/", "sys/", "home/user/"))]
        assert owners_in(rootless("cp", "odd:/etc/new", "-", env=way).raw) == {"new": "1000:50"}
        changed = [line for line in rootless("diff", "odd", env=way).lines if not line.startswith("C /home")]
        named = ["C /etc/passwd"] if mode == "keep-id" else []  # by a line for who would have no name
        assert changed == ["C /etc", "C /etc/group", "A /etc/new", *named]
        if not ended:
            rootless("stop", "-t", "0", "odd", env=way)
    rootless("start", "odd", env=way, warns=True)
    assert rootless("exec", "odd", "stat", "-c", "%u:%g", "/home/user").stdout == "1000:1000\n"
    rootless("rm", "-f", "odd")
    rootless("volume", "rm", "first")


@pytest.mark.parametrize("running", [True, False])
def test_cp_gives_the_containers_owners(
    rootless: Rootless, busybox_image: str, tmp_path: Path, way: dict[str, str], mode: str, running: bool
) -> None:
    rootless("run", "-d", "--name", "odd", "--network", "none", f"--userns={mode}", "--user", "0", busybox_image, "sleep", "1000",
             env=way, warns=True)  # fmt: skip
    if not running:
        rootless("stop", "-t", "0", "odd", env=way)
    (tmp_path / "mine").write_text("x")
    rootless("cp", tmp_path / "mine", "odd:/root/plain", env=way)
    rootless("cp", "-a", tmp_path / "mine", "odd:/root/kept", env=way)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("streamed")
        member.uid, member.gid = 1000, 50
        archive.addfile(member)
    rootless("cp", "-", "odd:/root", stdin=stream.getvalue(), env=way)
    rootless("cp", "-a", "odd:/root/streamed", tmp_path / "out", env=way)
    rootless("cp", "-a", tmp_path / "out", "odd:/root/back", env=way)
    if not running:
        rootless("start", "odd", env=way, warns=True)
    found = rootless("exec", "--user", "0", "odd", "stat", "-c", "%u:%g", *(f"/root/{name}" for name in
                     ("plain", "kept", "streamed", "back"))).lines  # fmt: skip
    assert found == ["0:0", "0:0", "1000:50", "1000:50"]
    rootless("cp", "odd:/root/streamed", tmp_path / "mine", env=way)
    assert (tmp_path / "mine").stat().st_uid == os.getuid()
    rootless("rm", "-f", "odd")
    remove_tree(tmp_path)
    tmp_path.mkdir()


@pytest.mark.parametrize(
    "word", ["auto:size=x", "keep-id:uid", "keep-id:size=3", "container:x", "nomap:1", "what"]
)
def test_words_that_mean_nothing(word: str) -> None:
    with pytest.raises(InvalidInput):
        userns.parse(word)


def test_maps() -> None:
    assert user_namespace.keep(1000, 65537) == [[0, 1, 1000], [1000, 0, 1], [1001, 1001, 64536]]
    assert user_namespace.keep(0, 10) == [[0, 0, 1], [1, 1, 9]]
    assert user_namespace.keep(70000, 65537) == [[0, 1, 65536], [70000, 0, 1]]
    assert user_namespace.free([], 1024, 65537) == [[0, 64512, 1024], [65534, 65536, 1]]
    assert user_namespace.free([[64512, 1025]], 1024, 65537)[0] == [0, 63487, 1024]
    assert user_namespace.free([[63487, 1025]], 1024, 65537)[0] == [0, 64512, 1024]
    with pytest.raises(NotSupported):
        user_namespace.free([[1, 65536]], 1, 65537)
