"""Volumes with options, parts of volumes and images as mounts, in Docker's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.command import Rootless

NO_NETWORK = ("--network", "none")


def test_a_volume_that_is_a_directory_of_the_host(
    rootless: Rootless, busybox_image: str, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("old\n")
    words = ("-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}")
    rootless("volume", "create", *words, "--label", "a=b", "site")
    options = "{{.Options.type}} {{.Options.o}} {{.Options.device}} {{.Labels.a}}"
    assert rootless("volume", "inspect", "-f", options, "site").stdout == f"none bind {tmp_path} b\n"
    script = "cat /d/f; echo new >/d/g"
    assert rootless("run", "--rm", "-v", "site:/d", busybox_image, "sh", "-c", script).stdout == "old\n"
    assert (tmp_path / "g").read_text() == "new\n"
    rootless("run", "--rm", "-v", "site:/d:ro", busybox_image, "touch", "/d/h", status=1)
    rootless("create", "--name", "box", "-v", "site:/d", busybox_image)
    rootless("cp", "/etc/hostname", "box:/d/copied")  # a container that does not run has the same mounts
    assert (tmp_path / "copied").exists()
    rootless("rm", "box")
    rootless("volume", "rm", "site")
    assert (tmp_path / "f").exists()


def test_an_empty_directory_of_the_host_is_filled_from_the_image(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """As any volume. It stays the caller's, and gets no set-user-id file: that would lend the caller's rights."""
    script = "mkdir /d; cp /bin/busybox /d/su; chmod 4755 /d/su; chown 7:7 /d; echo x >/d/f"
    rootless("run", "--name", "made", busybox_image, "sh", "-c", script)
    rootless("export", "-o", tmp_path / "t.tar", "made")
    rootless("import", tmp_path / "t.tar", "filled")
    (directory := tmp_path / "site").mkdir(mode=0o700)
    before = directory.stat()
    rootless("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={directory}", "site")
    assert rootless("run", "--rm", "-v", "site:/d", "filled", "cat", "/d/f").stdout == "x\n"
    after = directory.stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
    assert (directory / "su").stat().st_mode & 0o7777 == 0o755
    (directory / "f").unlink()
    rootless("run", "--rm", "-v", "site:/d", "filled", "true")
    assert not (directory / "f").exists()  # not empty any more: left alone
    (other := tmp_path / "other").mkdir()
    rootless("volume", "create", "-o", "type=none", "-o", "o=bind,ro", "-o", f"device={other}", "other")
    rootless("run", "--rm", "-v", "other:/d", "filled", "true")
    rootless("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={other}", "second")
    rootless("run", "--rm", "-v", "second:/d:nocopy", "filled", "true")
    assert not list(other.iterdir())
    rootless("rm", "made")
    rootless("volume", "rm", "site", "other", "second")
    rootless("rmi", "filled")


def test_a_fill_that_was_killed_goes_on(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """What is there stays; what is not comes, by the next start."""
    rootless("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}", "killed")
    (tmp_path / "passwd").write_text("mine\n")
    (tmp_path / ".rootless-filling-1").mkdir()
    (tmp_path / ".rootless-filling-1/group").touch()
    mark = rootless.root / "volumes/killed/filling"
    mark.write_text(".rootless-filling-1")
    for _ in range(2):
        done = rootless("run", "--rm", *NO_NETWORK, "-v", "killed:/etc", busybox_image, "ls", "-A", "/etc")
        assert done.lines == ["group", "passwd"]
        assert not mark.exists()
    assert (tmp_path / "passwd").read_text() == "mine\n"
    assert (tmp_path / "group").stat().st_size
    (tmp_path / "group").unlink()
    mark.write_text(".rootless-filling-1")  # killed before it was made
    rootless("run", "--rm", *NO_NETWORK, "-v", "killed:/etc", busybox_image, "true")
    assert (tmp_path / "group").exists()
    rootless("volume", "rm", "killed")


def test_a_volume_that_is_memory(rootless: Rootless, busybox_image: str) -> None:
    words = ("-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,mode=1777")
    made = rootless("volume", "create", *words, "fast", warns=True)
    assert "nothing is shared through it" in made.stderr
    shown = rootless("run", "--rm", "-v", "fast:/d", busybox_image, "grep", " /d ", "/proc/mounts").stdout
    assert shown.startswith("tmpfs /d tmpfs rw,nosuid,nodev,")
    assert "size=1024k" in shown
    rootless("volume", "rm", "fast")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("type=nfs o=addr=10.0.0.1 device=:/x", "a volume of type nfs needs root"),
        ("type=none o=bind", "missing device in volume options"),
        ("type=none o=bind device=here", "device here is not an absolute path"),
        ("type=none o=bind,fancy device=/x", "invalid volume option: o=fancy"),
        ("type=ext4 device=/dev/sda", "a volume of type 'ext4' with o= needs root"),
        ("type=tmpfs o=fancy", "invalid tmpfs option: fancy"),
        ("foo=bar", 'invalid option: "foo"'),
        ("size=10g", 'invalid option: "size"'),
    ],
)
def test_options_that_cannot_be(rootless: Rootless, options: str, message: str) -> None:
    words = [word for option in options.split() for word in ("-o", option)]
    made = rootless("volume", "create", *words, "vol", status=1, warns=True)
    assert f"rootless: {message}\n" in made.stderr
    assert rootless("volume", "ls", "-q").stdout == ""


def test_a_volume_made_by_mount(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    word = f"type=volume,src=v1,dst=/d,volume-opt=type=none,volume-opt=o=bind,volume-opt=device={tmp_path}"
    rootless("run", "--rm", "--mount", word + ",volume-label=a=b", busybox_image, "touch", "/d/f")
    assert (tmp_path / "f").exists()
    assert rootless("volume", "inspect", "-f", "{{.Labels.a}} {{.Options.o}}", "v1").stdout == "b bind\n"
    rootless("volume", "rm", "v1")


HOSTILE = "mkdir -p /d/a/b; echo deep >/d/a/b/f; ln -s a/b /d/in; ln -s / /d/top; ln -s ../../../etc /d/up"


def test_a_part_of_a_volume(rootless: Rootless, busybox_image: str) -> None:
    """Links of a volume, which any container may have made, lead nowhere but into the volume."""
    rootless("run", "--rm", "-v", "vol:/d", busybox_image, "sh", "-c", HOSTILE + "; ln -s /etc/passwd /d/abs")

    def run(subpath: str, *command: str, status: int = 0) -> str:
        word = f"type=volume,src=vol,dst=/x,volume-subpath={subpath}"
        done = rootless("run", "--rm", "--mount", word, busybox_image, *command, status=status)
        return done.stdout if status == 0 else done.stderr

    assert run("a/b", "cat", "/x/f") == "deep\n"
    assert run("in", "cat", "/x/f") == "deep\n"
    assert run("a/b/f", "cat", "/x") == "deep\n"
    assert run("top", "ls", "/x").split() == ["a", "abs", "in", "top", "up"]
    for escaping in ("up", "abs", "nope"):
        assert f"cannot access path {escaping}: no such file" in run(escaping, "ls", "/x", status=125)
    for refused in ("../x", "/a", "a/../..", ""):
        assert "invalid volume-subpath" in run(refused, "ls", "/x", status=125)
    rootless("volume", "rm", "vol")


def test_an_image_as_a_mount(rootless: Rootless, busybox_image: str) -> None:
    word = f"type=image,src={busybox_image},dst=/img"
    script = "cat /img/etc/passwd | head -1; touch /img/x"
    done = rootless("run", "--rm", "--mount", word, busybox_image, "sh", "-c", script, status=1, warns=True)
    assert done.stdout == "root:x:0:0:root:/root:/bin/sh\n"
    assert "Read-only file system" in done.stderr
    part = word + ",image-subpath=etc"
    assert rootless("run", "--rm", "--mount", part, busybox_image, "ls", "/img").lines == ["group", "passwd"]
    part = word + ",image-subpath=etc/passwd"
    refused = rootless("run", "--rm", "--mount", part, busybox_image, status=125)
    assert "etc/passwd of the image is no directory" in refused.stderr
    refused = rootless("run", "--mount", "type=image,src=nosuch,dst=/i", busybox_image, status=125)
    assert "No such image: nosuch" in refused.stderr


@pytest.mark.own_store
def test_an_image_that_is_mounted_stays(rootless: Rootless, busybox_image: str) -> None:
    rootless("tag", busybox_image, "other:1")
    rootless("create", "--name", "box", "--rootfs", "--mount", "type=image,src=other:1,dst=/img", "/", "true")
    rootless("rmi", busybox_image)
    assert "is using its referenced image" in rootless("rmi", "other:1", status=1).stderr
    rootless("rm", "box")
    rootless("rmi", "other:1")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "type=bind,src=/tmp,dst=/d,volume-subpath=x",
            "cannot mix 'volume-*' options with mount type 'bind'",
        ),
        (
            "type=volume,dst=/d,bind-recursive=disabled",
            "cannot mix 'bind-*' options with mount type 'volume'",
        ),
        ("type=bind,src=/tmp,dst=/d,bind-recursive=writable", "requires 'readonly' to be specified"),
        ("type=bind,src=/tmp,dst=/d,ro,bind-recursive=readonly", "requires 'bind-propagation=rprivate'"),
        ("type=bind,src=/tmp,dst=/d,bind-recursive=x", "invalid value for bind-recursive: x"),
        ("type=volume,dst=/d,volume-driver=nfs", "no volume driver 'nfs'"),
        ("type=volume,dst=/d,volume-opt=x", "invalid volume-opt 'x'"),
        ("type=image,dst=/d", "source is required for an image mount"),
    ],
)
def test_keys_that_contradict(rootless: Rootless, busybox_image: str, word: str, message: str) -> None:
    assert message in rootless("create", "--mount", word, busybox_image, status=125).stderr


def test_a_bind_that_is_read_only_throughout(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    word = f"type=bind,src={tmp_path},dst=/d,readonly,bind-propagation=rprivate,bind-recursive=readonly"
    rootless("run", "--rm", "--mount", word, busybox_image, "touch", "/d/x", status=1)
