"""Ids for a container that has one: helpers/ids through run, exec, stop and start, commit, export."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sys
import tarfile
from pathlib import Path

import pytest

from rootless.engine.lifecycle import architecture
from rootless.errors import RootlessError
from rootless.runtime import ids
from tests.harness import processes
from tests.harness.command import Rootless
from tests.system.test_hosts import ONE_ID, inside

ARM = "the image's programs are of 32-bit ARM, whose calls are not answered on a 64-bit one"
NOW = ("--network", "none", "--emulate-ids", "full")


def test_a_container_of_a_user_without_a_range(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """One id for the kernel; for the container's programs users, groups and owners, which outlive a stop. Nobody has to ask."""
    script = """
    rootless load -q -i "$1" >&2
    rootless run -d --name box --network none busybox:latest sleep 1000 >&2
    rootless exec box sh -c 'cat /proc/self/uid_map; id -u; stat -c %u /home/user'
    rootless exec box sh -c 'cd /tmp; ln -s x link; mkfifo pipe; chown -h 9:10 link pipe; chown -h 11 /bin/cat; mv link moved'
    rootless exec box sh -c 'touch /tmp/mine; chown 33:44 /tmp/mine; chmod 4755 /tmp/mine; mkdir /tmp/d; chown 5:6 /tmp/d'
    rootless exec box su user -c 'id -u; touch /tmp/theirs; chown 0 /tmp/theirs || echo refused; touch /etc/no || echo denied'
    rootless exec -u 7:8 box sh -c 'id -u; id -g; touch /tmp/sevens'
    rootless stop -t 0 box >&2
    rootless start box >&2
    rootless exec box stat -c '%n %u:%g %a' /tmp/mine /tmp/d /tmp/theirs /tmp/sevens /tmp/moved /tmp/pipe /bin/cat
    rootless inspect -f '{{.HostConfig.EmulateIds}} {{.EmulatedIds.Level}}' box
    rootless commit -q box kept:latest >&2
    rootless export -o "$2/export.tar" box
    rootless run --rm --network none kept:latest stat -c '%n %u:%g %a' /tmp/mine /tmp/theirs /home/user
    rootless save -o "$2/save.tar" kept:latest
    rootless exec box chown 0:0 /home/user
    rootless commit -q box roots:latest >&2
    rootless run --rm --network none roots:latest stat -c '%n %u:%g' /home/user
    rootless rm -f box >&2
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["0", "0", "1"]
    assert lines[1:] == [
        "0", "1000", "1000", "refused", "denied", "7", "8",
        "/tmp/mine 33:44 4755", "/tmp/d 5:6 755", "/tmp/theirs 1000:1000 644", "/tmp/sevens 7:8 644",
        "/tmp/moved 9:10 777", "/tmp/pipe 9:10 644", "/bin/cat 11:0 777", "auto full",
        "/tmp/mine 33:44 4755", "/tmp/theirs 1000:1000 644", "/home/user 1000:1000 755",
        "/home/user 0:0",
    ]  # fmt: skip
    with tarfile.open(tmp_path / "export.tar") as tar:
        owners = {entry.name.removeprefix("./"): (entry.uid, entry.gid) for entry in tar}
        assert not any("override_stat" in key for entry in tar for key in entry.pax_headers)
    assert owners["tmp/mine"] == (33, 44)
    assert owners["tmp/d"] == (5, 6)
    assert owners["tmp/sevens"] == (7, 8)
    assert owners["home/user"][0] == 1000
    assert (owners["tmp/moved"], owners["tmp/pipe"], owners["bin/cat"]) == ((9, 10), (9, 10), (11, 0))
    with tarfile.open(tmp_path / "save.tar") as tar:
        layers = [tar.extractfile(entry) for entry in tar if entry.isfile() and entry.size > 2048]
        found: dict[str, tuple[int, int]] = {}
        for layer in layers:
            assert layer is not None
            data = layer.read()
            if tarfile.is_tarfile(io.BytesIO(data)):
                with tarfile.open(fileobj=io.BytesIO(data)) as inner:
                    found |= {entry.name: (entry.uid, entry.gid) for entry in inner}
    assert found["tmp/mine"] == (33, 44)
    assert found["tmp/theirs"] == (1000, 1000)
    assert (found["tmp/moved"], found["bin/cat"]) == ((9, 10), (11, 0))


LISTENED = """
import os, subprocess, sys
from rootless.linux import seccomp
listener = seccomp.load_filter(bytes([6, 0, 0, 0, 0, 0, 255, 127]), seccomp.SECCOMP_FILTER_FLAG_NEW_LISTENER)
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


# What lends ids, where it runs, answers so.
LENDER = r"""
import socket
listening = socket.socket(socket.AF_UNIX)
listening.bind("/run/systemd/io.systemd.NamespaceResource")
listening.listen()
while True:
    asks, _ = listening.accept()
    asks.recv(4096)
    asks.sendall(b'{"parameters":{"interfaces":["io.systemd.NamespaceResource"]}}\0')
    asks.close()
"""


@pytest.mark.own_store
def test_what_stands_against_it_is_told(rootless: Rootless, busybox_archive: Path, tmp_path: Path) -> None:
    """No error, where nobody asked for it: a limit that is needed, a word, programs whose calls are not answered, a listener that is
    there already."""
    (tmp_path / "lender").write_text(LENDER)
    script = """
    rootless load -q -i "$1" >&2
    told() { rootless inspect -f '{{.EmulatedIds.Level}}: {{.EmulatedIds.Why}}' box; rootless rm -f box >&2; }
    rootless run --name box --network none --ulimit rttime=500 busybox:latest sh -c 'su user -c id 2>/dev/null || echo one id'; told
    rootless run --name box --network none --emulate-ids off busybox:latest true; told
    narrow() { rootless create --name box "$@" busybox:latest true >&2
        sed -i '1s/{/{"narrow":true,/' "$ROOTLESS_ROOT"/containers/*/config.json; }
    narrow --network none; rootless start -a box; told
    narrow --emulate-ids full; rootless start box 2>&1 || rootless rm box >&2
    mount -t tmpfs none /run; mkdir /run/systemd; "$3" "${2%/*}/lender" &
    until [ -S /run/systemd/io.systemd.NamespaceResource ]; do sleep 0.05; done
    rootless doctor --json >"$2"
    rootless doctor | grep -c '^ok *emulated ids'
    rootless info -f '{{.Session.EmulatedIds.Level}}'
    shift 2
    "$@" run --name box --network none busybox:latest true; told
    "$@" run --name box --network none --emulate-ids full busybox:latest true || echo $?
    """
    done = inside(rootless, ONE_ID, script, busybox_archive, tmp_path / "doctor", sys.executable, "-c", LISTENED, *rootless.argv)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "one id", ": --ulimit rttime: a process's ids are kept in that limit", ": --emulate-ids=off", f": {ARM}",
        f"rootless: --emulate-ids=full: {ARM}", "hint: take the image's build for 64-bit ARM, --platform linux/arm64", "1", "full",
        ": ids are emulated out here already, and not twice", "125",
    ]  # fmt: skip
    assert "leave --emulate-ids out" in done.stderr
    assert done.stderr.count(f"warning: the container has one user: {ARM}") == 1
    machines = (("aarch64", "arm"), ("aarch64", "arm64"), ("armv7l", "arm"))
    assert [architecture.unanswered(*each) for each in machines] == [True, False, False]
    (told,) = [each for each in json.loads((tmp_path / "doctor").read_text())["findings"] if each["name"] == "emulated ids"]
    assert told["status"] == "ok"
    assert told["what"].startswith("no range: ids are emulated (full)")
    assert "systemd-nsresourced runs here, and is not used" in told["what"]


def test_servers_of_a_distribution(rootless: Rootless, tools_archive: Path) -> None:
    """A Debian's apt drops to its own user, adduser makes one, PostgreSQL trusts its peers, nginx's workers are www-data."""
    inner = r"""
    apt-get update 2>&1 | grep -i -e setgroups -e seteuid -e 'Operation not permitted'
    adduser --quiet --disabled-password --gecos x bob && su bob -c 'id -un; touch ~/own; stat -c %U ~/own'
    su bob -c 'echo >> /etc/passwd' 2>/dev/null || echo kept out
    setpriv --reuid www-data --regid www-data --init-groups id -u
    pg_ctlcluster 15 main start && su postgres -c "psql -Atc 'select current_user'"
    psql -U postgres -c 'select 1' 2>&1 | grep -o 'Peer authentication failed'
    nginx && for i in $(seq 300); do pids=$(pgrep -f '^nginx: worker') && break; sleep 0.1; done
    stat -c %U $(echo $pids | sed 's,[0-9][0-9]*,/proc/&,g') | sort -u
    ps -o user= -p $pids | sort -u; test "$(pgrep -u www-data)" = "$pids" && pgrep -u bob || echo none
    mkdir /tmp/t && cp -a /etc/shadow /var/mail /tmp/t && tar -C /tmp -cf /tmp/t.tar t && rm -r /tmp/t && tar -C /tmp -xpf /tmp/t.tar
    stat -c '%U:%G %a' /tmp/t/shadow /tmp/t/mail
    """
    script = 'rootless load -q -i "$1" >&2; rootless run --rm --network none tools:latest sh -c "$2"'
    done = inside(rootless, ONE_ID, script, tools_archive, inner)
    assert done.stdout.splitlines() == [
        "bob", "bob", "kept out", "33", "postgres", "Peer authentication failed", "www-data",
        "www-data", "none", "root:shadow 640", "root:mail 2775",
    ], done.stderr  # fmt: skip


def test_the_container_ends_with_what_answers_for_its_ids(rootless: Rootless, busybox_image: str) -> None:
    """Killed at once: nobody answers any more, and the container is told by its end."""
    rootless("run", "-d", "--name", "box", *NOW, busybox_image, "sleep", "1000")
    (helper,) = helpers_below(int(rootless("inspect", "-f", "{{.State.MonitorPid}}", "box").stdout))
    monitor, init = (rootless("inspect", "-f", word, "box").stdout.strip() for word in ("{{.State.MonitorPid}}", "{{.State.Pid}}"))
    ours, theirs, answering = (Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1] for pid in (monitor, init, helper))
    assert answering == (theirs if theirs == ours else f"{theirs}/rootless-ids")  # what it does is counted as the container's
    os.kill(helper, signal.SIGKILL)
    assert rootless("wait", "box").stdout == "137\n"
    rootless("start", "box")
    assert rootless("exec", "-u", "5", "box", "id", "-u").stdout == "5\n"
    rootless("rm", "-f", "box")


@pytest.mark.parametrize("command", [("stop", "-t", "1"), ("kill",), ("rm", "-f")])
def test_a_container_whose_calls_nobody_answers_ends(rootless: Rootless, busybox_image: str, command: tuple[str, ...]) -> None:
    """The program waits, as for a file system that does not answer: what the container asks waits with it, and nobody else does."""
    rootless("run", "-d", "--name", "box", *NOW, busybox_image, "sh", "-c", "while :; do stat / >/dev/null; done")
    (helper,) = helpers_below(int(rootless("inspect", "-f", "{{.State.MonitorPid}}", "box").stdout))
    pidfd = os.pidfd_open(helper)
    signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
    rootless(*command, "box")
    processes.wait_ended(pidfd)
    os.close(pidfd)
    if command[0] != "rm":
        rootless("rm", "box")


def test_exec_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a program that waits itself."""
    monkeypatch.setattr(ids, "_PATIENCE_S", 0.1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(tmp_path / "ids"))
        listening.listen()
        with pytest.raises(RootlessError, match="does not answer: timed out"):
            ids.hand_over(str(tmp_path), listening.fileno(), [0, 0])


def helpers_below(monitor: int) -> list[int]:
    """The children of a container's monitor that answer for ids."""
    found = []
    for each in Path(f"/proc/{monitor}/task/{monitor}/children").read_text().split():
        if Path(f"/proc/{each}/comm").read_text() == "rootless-ids\n":
            found.append(int(each))
    return found


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--emulate-ids", "some"), "--emulate-ids: invalid value: some"),
        (("--emulate-ids", "full", "--userns", "auto"), "conflicting options: --emulate-ids=full and --userns=auto"),
        (("--emulate-ids", "full", "--ulimit", "rttime=5"), "conflicting options: --emulate-ids and --ulimit rttime"),
    ],
)
def test_what_cannot_be_is_said(rootless: Rootless, busybox_image: str, words: tuple[str, ...], error: str) -> None:
    assert error in rootless("create", *words, busybox_image, "true", status=125).stderr


@pytest.mark.parametrize(("level", "shown"), [("ids", "1000 0"), ("fake", "0 0")])
def test_lesser_levels(rootless: Rootless, busybox_image: str, level: str, shown: str) -> None:
    """ids: no owners; fake: nothing but success. Both also where there is a range, which then is not used."""
    out = rootless(
        "run", "--rm", "--network", "none", "--emulate-ids", level, busybox_image,
        "sh", "-c", "chown 5 /tmp && echo $(su user -c 'id -u') $(stat -c %u /tmp)",
    )  # fmt: skip
    assert out.stdout == shown + "\n"


PLANTED = "import os; open('/tmp/x', 'w'); os.setxattr('/tmp/x', 'user.containers.override_stat', b'0:0:04755'); os.chmod('/tmp/x', 0o4755)"


@pytest.mark.own_store
def test_a_record_of_an_owner_makes_nobody_root_where_ids_are_real(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """A user of the container may write any attribute of his files: no set-user-id program of root's comes of it by commit or export."""
    host = [word for path in ("/usr", "/lib", "/lib64") for word in ("-v", f"{path}:{path}:ro")]
    rootless("run", "--name", "box", "--network", "none", "-u", "1000:1000", *host, busybox_image, "/usr/bin/python3", "-c", PLANTED)
    rootless("export", "-o", tmp_path / "export.tar", "box")
    with tarfile.open(tmp_path / "export.tar") as tar:
        found = {entry.name.removeprefix("./"): (entry.uid, entry.gid, entry.mode) for entry in tar}
    assert found["tmp/x"] == (1000, 1000, 0o4755)
    rootless("commit", "box", "kept")
    seen = rootless("run", "--rm", "--network", "none", "kept", "/bin/stat", "-c", "%u:%g", "/tmp/x")
    assert seen.stdout == "1000:1000\n"
    rootless("rm", "box")


# Three files that say they are the user's, in whole or in half; of the other half there is no such id.
GIVEN_AWAY = """
import os
for name, owner in {"x": b"1000:1000:04755", "y": b"1000:4000000000:04755", "z": b"4000000000:1000:04755"}.items():
    for path in ("/tmp/" + name, "/v/" + name):
        open(path, "w")
        os.setxattr(path, "user.containers.override_stat", owner)
        os.chmod(path, 0o4755)
"""
COPIED = """\
FROM kept AS kept
FROM busybox:latest
COPY --from=kept /tmp /tmp
"""


@pytest.mark.own_store
def test_nor_does_it_give_away_what_root_has_taken_over(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """The attribute stays at chown(2): in an image, a copy or another volume the file would be the user's again, who made it."""
    host = [word for path in ("/usr", "/lib", "/lib64") for word in ("-v", f"{path}:{path}:ro")]
    (tmp_path / "plant").write_text(GIVEN_AWAY)
    words = "/bin/chmod 777 /v; /bin/su user -c '/usr/bin/python3 /plant' && /bin/chown 0:0 /tmp/? /v/? && /bin/chmod 4755 /tmp/? /v/?"
    mounts = ["-v", f"{tmp_path}/plant:/plant:ro", "-v", "vol:/v"]
    rootless("run", "--name", "box", "--network", "none", *host, *mounts, busybox_image, "/bin/sh", "-c", words)
    rootless("export", "-o", tmp_path / "export.tar", "box")
    warned = rootless("volume", "export", "-o", tmp_path / "volume.tar", "vol", warns=True).stderr
    assert "written as root's: 3 files" in warned
    (tmp_path / "cp.tar").write_bytes(rootless("cp", "box:/tmp", "-").raw)
    for name, above in (("export", "tmp/"), ("volume", ""), ("cp", "tmp/")):
        with tarfile.open(tmp_path / f"{name}.tar") as tar:
            found = {entry.name.removeprefix("./"): (entry.uid, entry.gid, entry.mode) for entry in tar}
        assert [found[above + each] for each in "xyz"] == [(0, 0, 0o4755)] * 3, name
    rootless("commit", "box", "kept")
    (tmp_path / "Dockerfile").write_text(COPIED)
    rootless("build", "-q", "-t", "copied", "-f", tmp_path / "Dockerfile", tmp_path)
    shown = [f"/{above}/{each}" for above in ("tmp", "v") for each in "xyz"]
    rootless("create", "--name", "other", "--network", "none", "copied", "/bin/stat", "-c", "%u:%g", *shown)
    rootless("cp", "-a", "box:/v", "other:/v")
    assert rootless("start", "-a", "other").stdout == "0:0\n" * 6
    assert rootless("run", "--rm", "--network", "none", "kept", "/bin/stat", "-c", "%u:%g", *shown[:3]).stdout == "0:0\n" * 3
    rootless("rm", "box", "other")
