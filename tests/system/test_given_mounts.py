"""Podman's `-v x:y:U`: what is mounted becomes the container's user's, and nothing else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need, without_range

OWNERS = "find /data -exec stat -c '%n %u:%g' {} + | sort"


@pytest.fixture
def tree(rootless: Rootless, tmp_path: Path) -> Path:
    """A directory of the caller's, with links that lead out of it, beside one that nobody gives away."""
    given, kept = tmp_path / "given", tmp_path / "kept"
    (given / "a/b").mkdir(parents=True)
    (given / "a/b/file").write_text("x")
    (given / "setuid").write_text("x")
    (given / "setuid").chmod(0o4755)
    kept.mkdir()
    (kept / "secret").write_text("x")
    (given / "out").symlink_to(kept)
    (given / "secret").symlink_to(kept / "secret")
    (given / "nowhere").symlink_to("nowhere")
    return given


def names(*, owner: str) -> list[str]:
    found = ("", "/a", "/a/b", "/a/b/file", "/nowhere", "/out", "/secret", "/setuid")
    # A link says of no emulated owner: it is root's.
    roots = ("/nowhere", "/out", "/secret") if without_range() else ()
    return [f"/data{name} {'0:0' if name in roots else owner}" for name in found]


@pytest.mark.parametrize(
    "word",
    ["-v={}:/data:U", "-v={}:/data:ro,U", "--mount=type=bind,src={},dst=/data,U=true", "--mount=type=bind,src={},dst=/data,chown=true"],
)
@pytest.mark.parametrize(("options", "owner"), [(("-u", "7:8"), "7:8"), (("-u", "user"), "1000:1000"), ((), "0:0")])
def test_a_bind(
    rootless: Rootless, busybox_image: str, tree: Path, word: str, options: tuple[str, ...], owner: str
) -> None:
    rootless("create", "--name", "box", "--network", "none", *options, word.format(tree), busybox_image, "sh", "-c", OWNERS)
    for _ in range(2):
        assert rootless("start", "-a", "box").lines == names(owner=owner)
    kept = tree.parent / "kept"
    assert {path.lstat().st_uid for path in (kept, kept / "secret", tree.parent)} == {os.getuid()}
    assert rootless("inspect", "--format", "{{(index .Mounts 0).Destination}}", "box").lines == ["/data"]
    rootless("rm", "box")
    # And back.
    back = rootless("run", "--rm", "--network", "none", "-v", f"{tree}:/data:U", busybox_image, "sh", "-c", OWNERS)
    assert back.lines == names(owner="0:0")
    assert (tree / "a/b/file").lstat().st_uid == os.getuid()


def test_not_without_the_word(rootless: Rootless, busybox_image: str, tree: Path) -> None:
    for word in ("-v={}:/data", "--mount=type=bind,src={},dst=/data,U=false"):
        done = rootless("run", "--rm", "--network", "none", "-u", "7:8", word.format(tree), busybox_image, "sh", "-c", OWNERS)
        assert done.lines == names(owner="0:0")
    wrong = rootless("create", "--mount", f"type=bind,src={tree},dst=/data,U=maybe", busybox_image, status=125)
    assert "invalid value for u" in wrong.stderr


@pytest.mark.real_ids("others than one's own with --userns")
@pytest.mark.parametrize("userns", ["auto", "keep-id", "nomap"])
def test_other_ids(rootless: Rootless, busybox_image: str, tree: Path, userns: str) -> None:
    run = ("run", "--rm", "--network", "none", "--userns", userns)
    for user in ("7:8", "0:0"):
        words = (*run, "-u", user, "-v", f"{tree}:/data:U", busybox_image, "sh", "-c", OWNERS)
        for _ in range(2):
            assert rootless(*words).lines == names(owner=user)
    if userns == "keep-id":
        who = f"{os.getuid()}:{os.getgid()}"
        assert rootless(*run, "-v", f"{tree}:/data:U", busybox_image, "sh", "-c", OWNERS).lines == names(owner=who)
        assert (tree / "a/b/file").lstat().st_uid == os.getuid()


def test_a_volume(rootless: Rootless, busybox_image: str) -> None:
    run = ("run", "--rm", "--network", "none", "-v", "vol:/data:U")
    assert rootless(*run, "-u", "7:8", busybox_image, "sh", "-c", "mkdir /data/x; " + OWNERS).lines == ["/data 7:8", "/data/x 7:8"]
    assert rootless(*run, "-u", "9", busybox_image, "sh", "-c", OWNERS).lines == ["/data 9:0", "/data/x 9:0"]
    part = ("--mount", "type=volume,src=vol,dst=/data,volume-subpath=x,U=true")
    assert rootless("run", "--rm", "--network", "none", *part, "-u", "7:8", busybox_image, "sh", "-c", OWNERS).lines == ["/data 7:8"]
    bare = rootless("run", "--rm", "--network", "none", "-v", "vol:/data", busybox_image, "sh", "-c", OWNERS)
    assert bare.lines == ["/data 9:0", "/data/x 7:8"]
    rootless("volume", "rm", "vol")


def test_the_user_of_a_passwd_file_that_is_mounted(rootless: Rootless, busybox_image: str, tree: Path) -> None:
    passwd = tree.parent / "passwd"
    passwd.write_text("somebody:x:70:80::/:/bin/sh\n")
    words = ("-u", "somebody", "-v", f"{passwd}:/etc/passwd:ro", "-v", f"{tree}:/data:U")
    assert rootless("run", "--rm", "--network", "none", *words, busybox_image, "sh", "-c", OWNERS).lines == names(owner="70:80")
    rootless("run", "--rm", "--network", "none", "-v", f"{tree}:/data:U", busybox_image, "true")


def test_what_is_not_given(rootless: Rootless, busybox_image: str, tree: Path, tmp_path: Path) -> None:
    run = ("run", "--rm", "--network", "none", "-u", "7:8")
    home = tmp_path / "kept"
    for source in (home, tmp_path, Path("/")):
        refused = rootless(*run, "-v", f"{source}:/data:U", busybox_image, "true", status=125, env={"HOME": str(home)})
        assert "your home directory is in it" in refused.stderr
    link = tmp_path / "link"
    link.symlink_to(home)
    assert "home directory" in rootless(*run, "-v", f"{link}:/data:U", busybox_image, status=125, env={"HOME": str(home)}).stderr
    assert home.lstat().st_uid == os.getuid()
    need(os.stat("/usr/share").st_uid == 0 != os.getuid(), "we are root")
    assert "it is not yours" in rootless(*run, "-v", "/usr/share:/data:U", busybox_image, status=125).stderr
    if without_range():  # all numbers are emulated
        return
    beyond = rootless("run", "--rm", "--network", "none", "-u", "4000000000", "-v", f"{tree}:/data:U", busybox_image, status=125)
    assert "no id on this machine" in beyond.stderr
    assert tree.lstat().st_uid == os.getuid()
    assert rootless("ps", "-aq").lines == []
