"""One user's containers against another account of the same host.

The stranger is one of our subordinate ids, in a user namespace of its own and without any
capability: to the kernel, another user.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.need import need

Stranger = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def box(rootless: Rootless, busybox_image: str) -> Iterator[Rootless]:
    rootless(
        "run",
        "-d",
        "--name",
        "box",
        "--network",
        "none",
        "-e",
        "SECRET=hunter2",
        busybox_image,
        "sleep",
        "60",
    )
    yield rootless
    rootless("rm", "-f", "box")


def test_it_is_a_stranger(stranger: Stranger) -> None:
    done = stranger(["sh", "-c", "id -u; grep CapEff /proc/self/status"])
    need(done.returncode == 0, f"no other uid can be had here: {done.stderr}")
    assert done.stdout.split() == ["7", "CapEff:", "0000000000000000"]


def test_sockets(box: Rootless, stranger: Stranger, payload: Path) -> None:
    payload.parent.chmod(0o755)
    sockets = [path for path in box.runtime.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
    assert {"session.sock", "attach"} <= {path.name for path in sockets}
    for path in sockets:
        assert stranger([str(payload), "seqpacket", str(path)]).stdout == "EACCES\n"


def test_the_holder_answers_its_own_user_only(box: Rootless, stranger: Stranger, payload: Path) -> None:
    """Even with the directory open: the socket's peer is looked at."""
    payload.parent.chmod(0o755)
    directory = box.sockets
    address = directory / "session.sock"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (box.runtime, directory, address)}
    try:
        for path in modes:
            path.chmod(0o777)
        assert stranger([str(payload), "seqpacket", str(address)]).stdout in (
            "EOF\n",
            "ECONNRESET\n",
            "OK 0\n",
        )
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def test_the_network_helper_answers_its_own_user_only(
    rootless: Rootless, busybox_image: str, stranger: Stranger, payload: Path
) -> None:
    """Nor is its hub, with all networks of the user, a stranger's to enter."""
    payload.parent.chmod(0o755)
    rootless("run", "-d", "--name", "web", busybox_image, "sleep", "60")
    directory = rootless.sockets
    address = directory / "netd.sock"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (rootless.runtime, directory, address)}
    try:
        for path in modes:
            path.chmod(0o777)
        assert stranger([str(payload), "seqpacket", str(address)]).stdout in ("EOF\n", "ECONNRESET\n", "OK 0\n")
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    serving = [each.pid for each in processes.descendants().values() if "rootless: networks" in each.command]
    assert serving
    for pid in serving:
        assert stranger(["sh", "-c", f"exec 3</proc/{pid}/ns/net"]).returncode != 0
        assert stranger(["ls", f"/proc/{pid}/fd"]).returncode != 0
        assert stranger(["kill", f"-{signal.SIGTERM.value}", str(pid)]).returncode != 0
    rootless("rm", "-f", "-t", "0", "web")


def test_files_and_processes(box: Rootless, stranger: Stranger) -> None:
    pid = box("inspect", "--format", "{{.State.Pid}}", "box").stdout.strip()
    monitor = box("inspect", "--format", "{{.State.MonitorPid}}", "box").stdout.strip()
    for path in (box.root, box.runtime, f"/proc/{pid}/root", f"/proc/{pid}/environ", f"/proc/{pid}/fd",
                 f"/proc/{monitor}/environ", f"/proc/{monitor}/fd"):  # fmt: skip
        done = stranger(["sh", "-c", f"ls {path} >/dev/null && cat {path} 2>/dev/null"])
        assert done.returncode != 0, path
        assert "hunter2" not in done.stdout
    for number in (pid, monitor):
        assert stranger(["kill", f"-{signal.SIGTERM.value}", number]).returncode != 0
    assert box("exec", "box", "echo", "alive").stdout == "alive\n"


def test_labels_and_variables_are_in_no_arguments(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """`ps` shows them to everybody: those of a compose file that only its owner can read, say."""
    (tmp_path / "variables").write_text("SECRET=hunter2\n")
    (tmp_path / "labels").write_text("router.users=hunter2\n")
    words = ("--env-file", tmp_path / "variables", "--label-file", tmp_path / "labels", "--network", "none")
    health = ("--health-cmd", "true", "--health-interval", "100ms")
    rootless("run", "-d", "--name", "told", *words, *health, busybox_image, "sleep", "60")
    rootless("exec", "-d", "--env-file", tmp_path / "variables", "told", "sleep", "60")
    while rootless("inspect", "-f", "{{.State.Health.Status}}", "told").stdout != "healthy\n":
        assert "hunter2" not in "".join(each.command for each in processes.descendants().values())
    seen = "\n".join(each.command for each in processes.descendants().values())
    assert "hunter2" not in seen
    assert "rootless-monitor" in seen
    created = rootless("events", "--since", "1h", "--until", "0s", "--filter", "event=start", "--format", "json").stdout
    assert "hunter2" in created
    rootless("rm", "-f", "-t", "0", "told")
    assert "hunter2" in rootless("events", "--since", "1h", "--until", "0s", "--filter", "event=die", "--format", "json").stdout


@pytest.mark.real_ids("the stranger is one of them")
@pytest.mark.parametrize("whose", ["stranger's", "everybody's"])
def test_credentials_in_a_runtime_directory_of_others(rootless: Rootless, tmp_path: Path, whose: str) -> None:
    """What `su` leaves in $XDG_RUNTIME_DIR: its auth.json names programs to be run, and could be a link to be written through."""
    place = tmp_path / "runtime"
    (place / "containers").mkdir(parents=True)
    (place / "containers/auth.json").write_text('{"credHelpers": {"localhost:1": "none-such"}}')
    place.chmod(0o777 if whose == "everybody's" else 0o755)
    as_root = ["unshare", "--user", "--map-root-user", "--map-auto", "chown"]
    if whose == "stranger's":
        subprocess.run([*as_root, "7:7", str(place)], check=True, timeout=20)
    done = rootless("logout", "localhost:1", env={"XDG_RUNTIME_DIR": str(place)}, status=None)
    subprocess.run([*as_root, "0:0", str(place)], check=True, timeout=20)
    assert "none-such" not in done.stdout + done.stderr
    assert "not logged in" in (done.stdout + done.stderr).lower()


@pytest.mark.real_ids("the stranger is one of them")
@pytest.mark.parametrize("kind", ["directory", "link", "file", "open"])
def test_the_fallback_in_tmp_squatted(rootless: Rootless, busybox_image: str, kind: str) -> None:
    """/tmp/rootless-UID made by somebody else before us, as a directory, a link, or with open modes."""
    place = Path(f"/tmp/rootless-{os.getuid()}")
    aside = place.with_name(f"{place.name}.aside-{os.getpid()}")
    if place.exists():
        place.rename(aside)
    elsewhere = Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))
    as_stranger = ["unshare", "--user", "--map-root-user", "--map-auto", "chown", "-h", "7:7", str(place)]
    try:
        if kind == "link":
            place.symlink_to(elsewhere)
        elif kind == "file":
            place.write_text("")
        else:
            place.mkdir(mode=0o777)
            place.chmod(0o777)
        if kind in ("directory", "file"):
            subprocess.run(as_stranger, check=True, timeout=20)
        out = rootless(
            "run", "--rm", "--network", "none", busybox_image, "echo", "ran", env={"XDG_RUNTIME_DIR": ""}
        )
        assert out.stdout == "ran\n"
        assert list(elsewhere.iterdir()) == []
        if place.is_dir() and not place.is_symlink() and kind != "open":
            subprocess.run([*as_stranger[:4], "chown", "0:0", str(place)], check=True, timeout=20)
        assert kind == "link" or kind == "file" or list(place.iterdir()) == []
    finally:
        rootless("system", "prune", "-f", status=None)
        subprocess.run([*as_stranger[:4], "rm", "-rf", str(place)], check=False, timeout=20)
        remove_tree(elsewhere)
        remove_tree(rootless.root / "run")
        if aside.exists():
            aside.rename(place)


def test_loopback_of_the_host_is_out_of_reach(rootless: Rootless, busybox_image: str) -> None:
    """Services that listen on 127.0.0.1 because only this machine's users may speak to them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = (
            "gateway=$(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p'); test $gateway || exit 1; "
            f"for a in 127.0.0.1 10.0.2.2 10.0.2.100 $gateway; do nc -w 2 $a {port} </dev/null && echo REACHED; done; true"
        )
        for network in ("bridge", "slirp4netns"):
            done = rootless("run", "--rm", "--network", network, busybox_image, "sh", "-c", script)
            assert "REACHED" not in done.stdout, network
