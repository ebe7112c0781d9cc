"""Image files as roots: `rootless run ./image.sqsh`, `rootless run ./image.sif`."""

from __future__ import annotations

import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from rootless.linux import mount as m
from rootless.linux import namespace as n
from rootless.runtime.squashfs import serve
from tests.harness import images, processes
from tests.harness.command import Rootless
from tests.harness.forked import forked
from tests.need import need_program
from tests.runtime.test_image_header import BASE, PRIMARY, SQUASHFS, sif
from tests.system.test_hosts import ONE_ID, inside

NOW = ("--network", "none")
OWNER = "user.containers.override_stat"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return image_file(tmp_path)


def image_file(directory: Path) -> Path:
    """A squashfs with busybox in it, all of it root's, and a file that is www-data's by its attribute."""
    need_program("squashfuse_ll")
    root = directory / "tree"
    images.plain_busybox(root)
    for name in ("etc", "tmp", "proc", "dev", "sys"):
        (root / name).mkdir()
    for applet in ("sh", "cat", "stat", "sleep", "id", "ls", "find", "touch", "grep"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/motd").write_text("from the image\n")
    (root / "etc/www").write_text("x\n")
    os.setxattr(root / "etc/www", OWNER, b"33:44:100640")
    os.chmod(root / "etc/www", 0o640)
    return squashed(root, directory / "image.sqsh")


def squashed(tree: Path, path: Path) -> Path:
    program = need_program("mksquashfs")
    subprocess.run([program, tree, path, "-all-root", "-noappend", "-quiet", "-no-progress"], check=True, capture_output=True)
    return path


def _of_root_or_www_data(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uname = info.gname = ""
    info.uid = info.gid = 33 if info.name == "./x" else 0
    return info


def servers() -> list[processes.Process]:
    return [process for process in processes.descendants().values() if "/dev/fd/3" in process.command and "squashfuse" in process.command]


def test_one_mount_for_all_and_what_they_write_is_their_own(rootless: Rootless, image: Path) -> None:
    script = "cat /etc/motd; touch /etc/mine; echo more >>/etc/motd; cat /etc/motd; ls /etc; while :; do sleep 1; done"
    rootless("run", "-d", "--name", "one", *NOW, str(image), "sh", "-c", script)
    rootless("run", "-d", "--name", "two", *NOW, f"./{image.name}", "sleep", "1000", cwd=image.parent)
    assert len(servers()) == 1
    processes.wait_until(lambda: "mine" in rootless("logs", "one").stdout, "the first container's output")
    assert rootless("logs", "one").lines[:3] == ["from the image", "from the image", "more"]
    assert rootless("exec", "two", "cat", "/etc/motd").stdout == "from the image\n"
    assert rootless("exec", "two", "ls", "/etc").stdout.split() == ["hostname", "hosts", "motd", "resolv.conf", "www"]
    # Stopped and started it has what it wrote; looked at while it is stopped, too.
    rootless("stop", "-t", "0", "one")
    rootless("cp", "one:/etc/motd", str(image.parent / "copied"))
    assert (image.parent / "copied").read_text() == "from the image\nmore\n"
    rootless("start", "one")
    assert rootless("exec", "one", "cat", "/etc/motd").stdout.startswith("from the image\nmore\n")
    assert str(image) in rootless("ps", "--no-trunc").stdout
    for verb in (("diff", "one"), ("commit", "one", "x")):
        assert "made from an image file" in rootless(*verb, status=1).stderr
    assert "image file cannot be shown with other ids" in rootless("run", "--userns=auto", str(image), "id", status=125).stderr
    rootless("rm", "-f", "one", "two")


def test_a_path_is_meant_from_where_one_is(rootless: Rootless, image: Path) -> None:
    (image.parent / "latest.sqsh").symlink_to(image.name)
    below = image.parent / "work"
    below.mkdir()
    (below / "images").symlink_to("..")
    for path, place in (("./latest.sqsh", image.parent), ("../latest.sqsh", below), ("./images/image.sqsh", below)):
        assert rootless("run", "--rm", *NOW, path, "cat", "/etc/motd", cwd=place).stdout == "from the image\n"
    missing = rootless("run", "--rm", *NOW, "./gone.sqsh", "true", cwd=below, status=125).stderr
    assert f"image file {below}/gone.sqsh: no such file" in missing


def test_without_the_dot_before_it_a_path_is_asked_for(rootless: Rootless, image: Path) -> None:
    """As `apptainer exec image.sif` has it. No registry is asked, whatever a file is called."""
    for name in ("image.sqsh", "Tools_1.0.sif"):
        (image.parent / name).touch()
        refused = rootless("run", "--rm", *NOW, name, "true", cwd=image.parent, status=125)
        assert f"hint: the file of this name is an image by a path with ./ before it: ./{name}\n" in refused.stderr
        assert "Pulling" not in refused.stderr
    entered = rootless("exec", "./image.sqsh", "id", cwd=image.parent, status=1).stderr
    assert "hint: a command in a new container of an image: rootless run --rm ./image.sqsh id\n" in entered


def test_keep_id(rootless: Rootless, image: Path) -> None:
    """The files of an image that are all root's are the user's, who is oneself."""
    kept = ("run", "--rm", "--network", "none", "--userns=keep-id")
    script = "stat -c %u:%g /etc/motd; echo more >>/etc/motd; touch /etc/mine; stat -c %u:%g /etc/motd /etc/mine; cat /etc/motd; id -u"
    me, mine = os.geteuid(), f"{os.geteuid()}:{os.getegid()}"
    assert rootless(*kept, image, "sh", "-c", script).lines == [mine, mine, mine, "from the image", "more", str(me)]
    # As `srun --container-save` writes it for root in a container: those of others are nobody's, and none of them another one's.
    several = image.parent / "two.sqsh"
    (image.parent / "tree/x").mkdir()
    with tarfile.open(image.parent / "two.tar", "w") as tar:
        tar.add(image.parent / "tree", ".", filter=_of_root_or_www_data)
    with open(image.parent / "two.tar", "rb") as tree:
        subprocess.run([need_program("sqfstar"), "-quiet", "-no-progress", several], stdin=tree, check=True, capture_output=True)
    done = rootless(*kept, several, "sh", "-c", script + "; stat -c %u:%g /x", warns=True)
    assert done.lines == [mine, mine, mine, "from the image", "more", str(me), "65534:65534"]
    assert "owners: with --userns=keep-id root's are yours" in done.stderr
    assert rootless("run", "--rm", *NOW, several, "stat", "-c", "%u:%g", "/x").stdout == "33:33\n"
    # As mksquashfs makes it of an unpacked tree, unless told otherwise: all of it was the number below one's own.
    for name in ("resolv.conf", "hosts", "hostname"):  # nothing can be put where they are missing
        (image.parent / "tree/etc" / name).touch()
    unowned = image.parent / "mine.sqsh"
    subprocess.run([need_program("mksquashfs"), image.parent / "tree", unowned, "-quiet", "-no-progress"], check=True, capture_output=True)
    done = rootless(*kept, unowned, "stat", "-c", "%u:%g", "/etc/motd", warns=True)
    assert done.stdout == "65534:65534\n"
    assert "has no file of root's: its files are shown as nobody's and cannot be changed\nhint: make it with all" in done.stderr


def test_the_server_is_locked_in_and_its_end_is_the_mounts(rootless: Rootless, image: Path) -> None:
    rootless("run", "-d", "--name", "box", *NOW, str(image), "sleep", "1000")
    (server,) = servers()
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if ":\t" in line)
    assert (status["CapPrm"], status["CapEff"], status["NoNewPrivs"], status["Seccomp"]) == ("0" * 16, "0" * 16, "1", "2")
    assert Path(f"/proc/{server.pid}/uid_map").read_text() == ""
    for kind in ("user", "mnt", "net", "pid", "ipc", "uts"):
        assert os.readlink(f"/proc/{server.pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"), kind
    points = {line.split()[4] for line in Path(f"/proc/{server.pid}/mountinfo").read_text().splitlines()}
    assert all(point in ("/", "/image") or point.startswith(("/usr", "/lib", "/bin", "/sbin")) for point in points), points
    os.kill(server.pid, signal.SIGKILL)
    processes.wait_until(lambda: not servers(), "the server's end")
    assert rootless("exec", "box", "cat", "/etc/motd", status=None).status != 0
    rootless("rm", "-f", "box")
    assert rootless("run", "--rm", *NOW, str(image), "cat", "/etc/motd").stdout == "from the image\n"
    assert len(servers()) == 1


def test_a_batch_system_tells_every_process_to_end(rootless: Rootless, image: Path) -> None:
    """What serves the image's files is among them: it goes on until the container has ended, and then waits for no other."""
    rootless("run", "-d", "--name", "box", *NOW, str(image), "sleep", "1000")
    (server,) = servers()
    processes.signal_as_of_a_job(server.parent, server.pid)
    assert rootless("exec", "box", "cat", "/etc/motd").stdout == "from the image\n"
    assert rootless("run", "--rm", *NOW, str(image), "cat", "/etc/motd").stdout == "from the image\n"
    assert [found.pid for found in servers()] == [server.pid]
    rootless("rm", "-f", "-t", "0", "box")
    processes.wait_until(lambda: not servers(), "the server's end", timeout_s=serve.IDLE_S / 2)
    # One that nobody uses ends at once.
    assert rootless("run", "--rm", *NOW, str(image), "cat", "/etc/motd").stdout == "from the image\n"
    (server,) = servers()
    os.kill(server.parent, signal.SIGTERM)
    processes.wait_until(lambda: not servers(), "the server's end", timeout_s=serve.IDLE_S / 2)


def test_a_changed_file_is_another_image(rootless: Rootless, image: Path, tmp_path: Path) -> None:
    assert rootless("run", "--rm", *NOW, str(image), "cat", "/etc/motd").stdout == "from the image\n"
    (tmp_path / "tree/etc/motd").write_text("another\n")
    squashed(tmp_path / "tree", image)
    assert rootless("run", "--rm", *NOW, str(image), "cat", "/etc/motd").stdout == "another\n"


def test_a_sif_file_is_run_and_bad_ones_are_named(rootless: Rootless, image: Path, tmp_path: Path) -> None:
    data = image.read_bytes()
    file = tmp_path / "image.sif"
    file.write_bytes(sif((SQUASHFS, PRIMARY, BASE, len(data)))[:BASE] + data)
    assert rootless("run", "--rm", *NOW, str(file), "cat", "/etc/motd").stdout == "from the image\n"
    # A header that is well, over a file system that is not: its directories are no directories.
    file.write_bytes(data[:96] + bytes(len(data) - 96))
    assert "cannot mount" in rootless("run", "--rm", *NOW, str(file), "sh", status=125).stderr
    file.write_bytes(data[:-5000])
    assert "is damaged" in rootless("run", "--rm", *NOW, str(file), "sh", status=125).stderr
    assert "is no image file" in rootless("run", "--rm", *NOW, "/etc/passwd", "sh", status=125).stderr
    assert "--rootfs" in rootless("run", "--rm", *NOW, str(tmp_path), "sh", status=125).stderr
    assert "no such file" in rootless("run", "--rm", *NOW, "./nothing", "sh", status=125).stderr
    assert "name a command after the file" in rootless("run", "--rm", *NOW, str(image), status=125).stderr
    os.mkfifo(tmp_path / "fifo")
    assert "is no file" in rootless("run", "--rm", *NOW, str(tmp_path / "fifo"), "sh", status=125).stderr


def test_an_account_file_that_cannot_be_read_is_no_empty_one(rootless: Rootless, image: Path, tmp_path: Path) -> None:
    # Most of the image is this file, which does not compress well: what is spoiled there is of it.
    (tmp_path / "tree/etc/passwd").write_text("".join(f"{os.urandom(30).hex()}:x:1000:1000::/:/bin/sh\n" for _ in range(40_000)))
    squashed(tmp_path / "tree", image)
    data = image.read_bytes()
    at = len(data) * 7 // 10
    image.write_bytes(data[:at] + bytes(300_000) + data[at + 300_000 :])
    said = rootless("run", "--rm", *NOW, "-u", "1000", str(image), "id", status=125).stderr
    assert "the image's /etc/passwd cannot be read: Input/output error" in said


def test_owners_of_a_user_without_a_range(rootless: Rootless, image: Path) -> None:
    """They are in the attribute that emulated ids are kept in."""
    script = """
    rootless run --rm --network none "$1" stat -c '%u:%g %a' /etc/www /etc/motd
    rootless run --rm --network none "$1" sh -c 'touch /etc/new && cat /etc/www'
    """
    done = inside(rootless, ONE_ID, script, image)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["33:44 640", "0:0 644", "x"]


def test_without_squashfuse_its_package_is_named() -> None:
    program = need_program("squashfuse_ll")

    def hidden() -> str | None:
        n.unshare(n.CLONE_NEWUSER | n.CLONE_NEWNS)
        m.mount("/dev/null", os.path.realpath(program), None, m.MS_BIND)
        return serve.find_program()

    assert forked(hidden) is None


def test_a_directory_is_packed_and_mounted(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    need_program("mksquashfs")
    environment = tmp_path / "envs/torch"
    (environment / "lib").mkdir(parents=True)
    (environment / "lib/one").write_text("of the environment\n")
    place = f"target={environment}"
    said = rootless("image", "pack", environment, "torch").stdout
    assert f"type=squashfs,source=torch,{place}" in said
    assert [line.split()[0] for line in rootless("image", "pack").lines] == ["NAME", "torch"]
    rootless("run", "-d", "--name", "box", *NOW, "--mount", f"type=squashfs,source=torch,{place}", busybox_image, "sleep", "1000")
    assert rootless("exec", "box", "cat", f"{environment}/lib/one").stdout == "of the environment\n"
    assert rootless("exec", "box", "sh", "-c", f"echo x >{environment}/lib/one", status=1).stderr.count("Read-only") == 1
    assert rootless("inspect", "-f", "{{(index .Mounts 0).Type}}", "box").stdout == "squashfs\n"
    rootless("stop", "-t", "0", "box")
    rootless("cp", f"box:{environment}/lib/one", tmp_path / "copied")
    assert (tmp_path / "copied").read_text() == "of the environment\n"
    # A name may be packed anew while its file is in use, and files of one's own are mounted from any byte on.
    rootless("start", "box")
    (environment / "lib/one").write_text("newer\n")
    rootless("image", "pack", environment, "torch")
    assert rootless("exec", "box", "cat", f"{environment}/lib/one").stdout == "of the environment\n"
    rootless("image", "pack", "-o", tmp_path / "file.sqfs", environment)
    (tmp_path / "shifted").write_bytes(bytes(8192) + (tmp_path / "file.sqfs").read_bytes())
    word = f"type=squashfs,source={tmp_path}/shifted,target=/opt/e,offset=8192"
    assert rootless("run", "--rm", *NOW, "--mount", word, busybox_image, "cat", "/opt/e/lib/one").stdout == "newer\n"
    assert "is no image file" in rootless("run", "--rm", "--mount", word[:-1], busybox_image, "true", status=125).stderr
    rootless("rm", "-f", "box")
    rootless("image", "pack", "--rm", "torch")
    assert "no such packed directory" in rootless("run", "--mount", f"type=squashfs,source=torch,{place}", busybox_image, status=125).stderr
    assert "outside of the directory" in rootless("image", "pack", "-o", environment / "x", environment, status=1).stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
