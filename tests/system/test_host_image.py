"""`run host`: the machine itself as an image, copy-on-write."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.need import need, need_program
from tests.system.test_hosts import ONE_ID, inside

PROGRAM = "#!/bin/sh\necho installed\n"
# A file of each kind is changed, and an owner given.
CHANGES = """set -e
echo one:x:4001:4001::/:/bin/sh >> /etc/passwd; echo two > /opt/rl-made; chown 33:44 /opt/rl-made
mkdir /opt/rl-dir; chmod 700 /opt/rl-dir; rm /etc/os-release; mv /usr/share/common-licenses /opt/licences"""


@pytest.fixture(autouse=True)
def _on_debian() -> None:
    need_program("fuse-overlayfs")
    need(Path("/usr/share/common-licenses").is_dir(), "the tests change files that Debian has")


@pytest.fixture
def private() -> Iterator[Path]:
    """A file of the user's own, in the home directory."""
    path = Path.home() / ".rl-private"
    path.write_text("secret\n")
    yield path
    path.unlink()


@pytest.mark.own_store
def test_a_reset_leaves_nothing_of_it(rootless: Rootless) -> None:
    rootless("run", "--rm", "--network", "none", "host", "true")
    rootless("system", "reset", "-f")
    assert not rootless.root.exists()


def package(directory: Path) -> Path:
    """A small Debian package, made without a network."""
    need_program("dpkg-deb")
    root = directory / "package"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/rl-hello").write_text(PROGRAM)
    (root / "usr/bin/rl-hello").chmod(0o755)
    (root / "DEBIAN/control").write_text("Package: rl-hello\nVersion: 1\nArchitecture: all\nMaintainer: tests\nDescription: says so\n")
    (root / "DEBIAN/postinst").write_text("#!/bin/sh\nset -e\nuseradd --system rl-hello\nchown rl-hello /usr/bin/rl-hello\n")
    (root / "DEBIAN/postinst").chmod(0o755)
    made = directory / "rl-hello.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(root), str(made)], check=True, stdout=subprocess.DEVNULL)
    return made


@pytest.mark.own_store
def test_a_container_over_the_machine(rootless: Rootless, private: Path, tmp_path: Path) -> None:
    """Its life: what is seen and what is not, changes, an install, start, cp, diff, commit; and the machine is as before."""
    before = [Path(path).read_bytes() for path in ("/etc/passwd", "/etc/os-release", "/etc/group")]
    look = f"cat /etc/os-release; echo; ls -A /home /root /tmp /run /mnt; cat {private} 2>&1 | grep -c secret; cat /etc/shadow"
    seen = rootless("run", "--rm", "--network", "none", "host", "sh", "-c", look).stdout
    system, _, rest = seen.partition("\n\n")
    assert system.encode() + b"\n" == before[1]
    hidden, _, shadow = rest.partition("\n0\n")
    assert hidden.split() == ["/home:", "/mnt:", "/root:", "/run:", ".containerenv", "/tmp:"]
    assert all(line.split(":")[1] == "*" for line in shadow.splitlines()), "no password of the machine's"

    deb = package(tmp_path)
    script = f"test -e /opt/rl-dir || {{ {CHANGES}; }}; exec sleep 1000"
    rootless("create", "--name", "box", "--network", "none", "host", "sh", "-c", script)
    rootless("cp", deb, "box:/opt/rl-hello.deb")
    rootless("start", "box")
    install = "until test -d /opt/licences; do sleep 0.1; done; apt-get install -y /opt/rl-hello.deb >/dev/null && rl-hello"
    assert rootless("exec", "box", "sh", "-c", install).stdout == "installed\n"
    rootless("stop", "-t", "0", "box")
    rootless("start", "box")
    assert rootless("exec", "box", "sh", "-c", "rl-hello; stat -c '%u %g' /opt/rl-made; stat -c %U /usr/bin/rl-hello").stdout == (
        "installed\n33 44\nrl-hello\n"
    )
    changes = rootless("diff", "box").lines
    assert {"C /etc/passwd", "D /etc/os-release", "A /opt/rl-made", "A /usr/bin/rl-hello", "D /usr/share/common-licenses"} <= set(changes)
    assert not [line for line in changes if line.endswith(("/usr/bin/sh", "/etc/fstab"))]
    assert rootless("cp", "box:/usr/bin/rl-hello", "-").raw.count(PROGRAM.encode()) == 1

    rootless("commit", "box", "more")
    rootless("rm", "--force", "--time", "0", "box")
    script = "rl-hello; stat -c '%u %g' /opt/rl-made /etc/passwd; ls -d /etc/os-release /opt/licences; su rl-hello -s /bin/sh -c 'id -un'"
    assert rootless("run", "--rm", "--network", "none", "more", "sh", "-c", script).lines == [
        "installed", "33 44", "0 0", "/opt/licences", "rl-hello",
    ]  # fmt: skip
    rootless("save", "-o", tmp_path / "more.tar", "more")
    assert (tmp_path / "more.tar").stat().st_size < 20 << 20, "the difference alone"
    assert owners_in(tmp_path / "more.tar", "etc/passwd") == {(0, 0)}
    assert [Path(path).read_bytes() for path in ("/etc/passwd", "/etc/os-release", "/etc/group")] == before
    assert not Path("/opt/rl-made").exists()

    for words, why in (
        (("run", "--rm", "--userns=auto", "host", "true"), "cannot be shown with other ids"),
        (("build", "-f", "-", "."), "host is this machine itself"),
    ):
        done = rootless(*words, status=None, stdin="FROM host\nRUN true\n")
        assert done.status
        assert why in done.stderr


def owners_in(archive: Path, name: str) -> set[tuple[int, int]]:
    """Whose the file is, in the layers of a saved image."""
    found = set()
    with tarfile.open(archive) as outer:
        for entry in outer:
            data = outer.extractfile(entry)
            if data is None:
                continue
            text = data.read()
            if tarfile.is_tarfile(io.BytesIO(text)):
                with tarfile.open(fileobj=io.BytesIO(text)) as layer:
                    found |= {(each.uid, each.gid) for each in layer if each.name == name}
    return found


@pytest.mark.own_store
def test_who_is_called_host(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """An image of that name in the store is meant; one that says that it lies over a machine is believed only where it was made."""
    busybox = busybox_archive
    rootless("load", "-i", busybox)
    rootless("tag", "busybox:latest", "host")
    assert rootless("run", "--rm", "--network", "none", "host", "sh", "-c", "test -e /usr/share/doc || echo busybox").stdout == "busybox\n"
    rootless("rmi", "host")
    foreign = images.docker_archive("foreign:latest", [], {"Cmd": ["cat", "/etc/passwd"], "Labels": {"io.rootless.base": "host"}})
    (tmp_path / "foreign.tar").write_bytes(foreign)
    rootless("load", "-i", tmp_path / "foreign.tar")
    done = rootless("run", "--rm", "foreign", status=125)
    assert "what was changed of another machine's own files" in done.stderr
    assert done.stdout == ""


@pytest.mark.own_store
def test_with_one_id(rootless: Rootless, tmp_path: Path) -> None:
    """The machine's files are root's; the container's other users are emulated, and are there after a restart and in a commit."""
    deb = package(tmp_path)
    tmp_path.chmod(0o755)
    script = """rootless create --name box --network none host sh -c '
        test -e /opt/rl-made && exec sleep 1000
        echo two > /opt/rl-made; chmod 600 /opt/rl-made; chown 33:44 /opt/rl-made /usr/bin/env
        apt-get install -y /opt/rl-hello.deb >/dev/null || exit 3' >&2
    rootless cp "$1" box:/opt/rl-hello.deb; rootless start -a box >&2
    rootless start box >&2
    look='stat -c "%u:%g %a" /opt/rl-made /usr/bin/env /etc/passwd; stat -c %U /usr/bin/rl-hello
        su rl-hello -s /bin/sh -c "id -un; cat /opt/rl-made 2>/dev/null || echo refused"'
    rootless exec box sh -c "$look"; echo
    rootless inspect -f '{{.EmulatedIds.Level}}' box; rootless stop -t 0 box >&2; rootless commit box more >&2; rootless rm box >&2
    echo; rootless run --rm --network none more sh -c "$look"
    rootless run --rm --network none --emulate-ids=off host chown 33 /etc/passwd || echo $?"""
    done = inside(rootless, ONE_ID, script, deb)
    assert done.returncode == 0, done.stderr
    seen = "33:44 600\n33:44 755\n0:0 644\nrl-hello\nrl-hello\nrefused\n"
    assert done.stdout == f"{seen}\nfull\n\n{seen}1\n"
