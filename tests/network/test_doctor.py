"""doctor: on this host, on hosts broken on purpose in a mount namespace, and its text."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rootless.cli.commands.system.doctor import render
from rootless.engine.doctor import Report
from rootless.engine.doctor.probes.host import DELEGATION
from rootless.engine.doctor.probes.storage import FUSE_RULE
from rootless.engine.doctor.result import error, not_available, ok, warning
from rootless.engine.doctor.run_probes import Probe, run_all
from rootless.engine.doctor.scratch import Scene
from rootless.errors import NotSupported
from rootless.finding import Finding
from rootless.network.uplink.slirp4netns import diagnosis
from rootless.session.diagnosis import apparmor_profile
from tests.harness.account import User
from tests.harness.importing import PYTHON_PATH
from tests.need import need, need_program

SCENE = Scene("/nonexistent", "/nonexistent")
PACKAGING = Path(__file__).parents[2] / "packaging"


def examine(root: Path, *, breaking: str = ":", **environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status and findings by name of `rootless doctor --json`, after `breaking` in namespaces."""
    command = [sys.executable, "-m", "rootless.cli", "--root", str(root), "doctor", "--json"]
    if breaking != ":":
        command = ["unshare", "-Urm", "sh", "-ec", breaking + '; exec "$@"', "sh", *command]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd="/",
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, **environment},
    )  # fmt: skip
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["can_run"] is (done.returncode == 0)
    worst: dict[str, dict[str, Any]] = {}
    for finding in report["findings"]:
        if finding["name"] not in worst or worst[finding["name"]]["status"] == "ok":
            worst[finding["name"]] = finding
    return done.returncode, worst


def test_this_host_runs_containers_and_nothing_is_left(user: User, tmp_path: Path) -> None:
    need_program("slirp4netns")
    private = tmp_path / "run"
    private.mkdir(mode=0o700)
    status, found = examine(tmp_path / "root", XDG_RUNTIME_DIR=str(private))
    assert status == 0, found
    for name in ("container", "user namespace", "ids", "storage", "network", "ports", "bridges", "gate", "helpers"):
        assert found[name]["status"] == "ok", found[name]
    assert os.listdir(tmp_path) == ["run"]
    assert os.listdir(private) in ([], ["rootless"])


def test_no_process_is_left(user: User, tmp_path: Path) -> None:
    examine(tmp_path)
    left = subprocess.run(["pgrep", "-u", str(user.uid), "-f", str(tmp_path)], capture_output=True, check=False)
    assert left.stdout == b""


BROKEN = [
    ("mount -t tmpfs tmpfs /dev/net", "network", "warning", "/dev/net/tun does not exist", "modprobe tun"),
    ("mount --bind /etc/shadow /dev/net/tun", "network", "warning", "may not be opened", diagnosis.TUN_RULE),
    ("mount --bind /dev/null $(command -v slirp4netns)", "network", "warning", "was not found on PATH", "apt install"),
    ("echo 0 > /proc/sys/user/max_net_namespaces", "bridges", "warning", "user.max_net_namespaces is 0", "sysctl"),
    ("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys", "bridges", "warning", "/proc/sys may not be written to", ""),
    ("mount --bind /dev/null $(command -v pasta)", "pasta", "not available", "was not found on PATH", "apt install passt"),
    ("mount --bind /etc/shadow /dev/fuse", "/dev/fuse", "not available", "Permission denied", FUSE_RULE),
    ("mount -t tmpfs tmpfs /dev", "/dev/fuse", "not available", "No such file", "modprobe fuse"),
    ("echo 0 > /proc/sys/user/max_user_namespaces", "user namespace", "error", "max_user_namespaces is 0", "sysctl"),
    ("mount -t tmpfs -o ro tmpfs $ROOT", "store", "error", "cannot be written", ""),
    ("mount -t tmpfs -o noexec tmpfs $ROOT", "store", "error", "mounted noexec", "without noexec"),
    ("mount -t tmpfs -o size=1m tmpfs $ROOT; head -c 2m /dev/zero > $ROOT/full 2>/dev/null || :",
     "store", "error", "0B are free", ""),
]  # fmt: skip


@pytest.mark.parametrize(("breaking", "name", "status", "what", "fix"), BROKEN)
def test_a_broken_host(
    user: User, tmp_path: Path, breaking: str, name: str, status: str, what: str, fix: str
) -> None:
    if "/dev" in breaking and "tmpfs /dev" in breaking and "/dev/net" not in breaking:
        breaking = "exec 3</dev/null; " + breaking + "; touch /dev/null; mkdir /dev/shm"
    if name == "pasta":
        need_program("pasta")
    code, found = examine(tmp_path, breaking=breaking, ROOT=str(tmp_path))
    assert found[name]["status"] == status, found
    assert what in found[name]["what"]
    assert fix in found[name]["fix_admin"]
    if status == "error":
        assert code == 1


@pytest.mark.parametrize("given", ["/nowhere", "/tmp", "/root"])
def test_a_wrong_runtime_directory(user: User, tmp_path: Path, given: str) -> None:
    status, found = examine(tmp_path, XDG_RUNTIME_DIR=given)
    assert status == 0
    assert found["runtime dir"]["status"] == "warning"
    assert found["runtime dir"]["what"] == f"XDG_RUNTIME_DIR={given} is missing, not yours or open to others"


def test_a_powerless_newuidmap(user: User, tmp_path: Path) -> None:
    """In a namespace without root a setuid program gains nothing: a single id is what is left."""
    done = subprocess.run(
        ["unshare", "--map-current-user", sys.executable, "-m", "rootless.cli",
         "--root", str(tmp_path / "root"), "doctor", "--json"],
        capture_output=True, text=True, timeout=60, check=False, cwd="/",
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
    )  # fmt: skip
    need("unrecognized option" not in done.stderr, "unshare of util-linux 2.34 or newer")
    report = json.loads(done.stdout)
    found = [each for each in report["findings"] if each["name"] == "ids"]
    assert report["can_run"]
    assert [each["status"] for each in found] == ["warning"]
    assert "newuidmap has no rights" in found[0]["what"]
    assert found[0]["fix_admin"].startswith("sudo setcap cap_setuid+ep ")
    assert os.listdir(tmp_path) == []


def test_a_probe_that_hangs_costs_its_own_line_only() -> None:
    found = run_all(
        [
            Probe("slow", lambda _: time.sleep(1000), essential=True),  # type: ignore[arg-type,return-value]
            Probe("stuck", lambda _: time.sleep(1000)),  # type: ignore[arg-type,return-value]
            Probe("good", lambda _: ok("good", "works")),
        ],
        SCENE,
        timeout_s=0.3,
    )
    assert [(each.name, each.status.value) for each in found] == [
        ("slow", "error"),
        ("stuck", "warning"),
        ("good", "ok"),
    ]
    assert found[0].finding.what == "the test did not end within 0.3 seconds"


def test_a_probe_that_breaks_or_fails_or_is_killed() -> None:
    def refused(_: Scene) -> Any:
        raise NotSupported("no such thing", finding=Finding("it is off", "", "do this", "that"))

    def killed(_: Scene) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    found = run_all(
        [
            Probe("broken", lambda _: 1 / 0),  # type: ignore[arg-type,return-value]
            Probe("refused", refused, essential=True),
            Probe("killed", killed),
        ],
        SCENE,
    )
    assert found[0].finding.what == "the test broke: ZeroDivisionError: division by zero"
    assert found[1] == error("refused", "no such thing", "no container can run", "do this", "that")
    assert found[2].finding.what == "the test broke: it said nothing"


def test_one_cause_is_told_once() -> None:
    found = run_all(
        [
            Probe("base", lambda _: error("base", "it is off", "none runs")),
            Probe("above", lambda _: [ok("above", "half"), warning("above", "it is off", "less")], needs="base"),
            Probe("beside", lambda _: warning("beside", "also off", "less")),
        ],
        SCENE,
    )
    assert [each.finding.what for each in found] == ["it is off", "half", "also off"]


def test_what_a_probe_leaves_is_ended(tmp_path: Path) -> None:
    def leave(_: Scene) -> Any:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                (tmp_path / "pid").write_text(str(os.getpid()))
                time.sleep(60)
            os._exit(0)
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        return ok("leave", "done")

    assert run_all([Probe("leave", leave)], SCENE) == [ok("leave", "done")]
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text()}")


def test_children_that_were_there_before_are_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        assert run_all([Probe("good", lambda _: ok("good", "works"))], SCENE) == [ok("good", "works")]
        assert bystander.poll() is None
        bystander.kill()


ALL_WELL = Report([ok("container", "runs"), ok("ids", "65537 are mapped")])
MIXED = Report(
    [
        ok("container", "runs"),
        warning("logout", "lingering is off for me", "containers end at the last logout",
                "loginctl enable-linger", "sudo loginctl enable-linger me"),
        not_available("cgroups", "this host uses cgroup v1", "--memory is refused", "", "one line\nEOF"),
        error("user namespace", "a fact that is much too long for one line of a narrow terminal", "none runs"),
    ]
)  # fmt: skip


def test_the_text_is_short_when_all_is_well() -> None:
    text = render(ALL_WELL, every=False, coloured=False, columns=80)
    assert text == "Containers can run here: 2 checks passed.\n"


def test_the_text_with_everything() -> None:
    assert render(ALL_WELL, every=True, coloured=False, columns=80) == (
        "ok       container  runs\n"
        "ok       ids        65537 are mapped\n"
        "Containers can run here: 2 checks passed.\n"
    )


def test_the_text_of_problems() -> None:
    assert render(MIXED, every=False, coloured=False, columns=70) == """\
warning  logout          lingering is off for me
                         effect: containers end at the last logout
                         you can: loginctl enable-linger
                         administrator: sudo loginctl enable-linger me
no       cgroups         this host uses cgroup v1: --memory is refused
error    user namespace  a fact that is much too long for one line of
                         a narrow terminal
                         effect: none runs

Containers cannot run here: 1 check passed, 1 failed, 1 warning, 1 not available here. \
`rootless doctor -v` says who can give that.
"""


def test_every_detail_on_demand() -> None:
    """A file to be copied is never wrapped nor indented."""
    assert render(Report([MIXED.results[2]]), every=True, coloured=False, columns=70) == """\
no       cgroups  this host uses cgroup v1
                  effect: --memory is refused
                  administrator: one line
EOF
Containers can run here: 0 checks passed, 1 not available here.
"""


def test_colours_change_nothing_else() -> None:
    import re

    coloured = render(MIXED, every=True, coloured=True, columns=70)
    assert "\x1b[33mwarning\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(MIXED, every=True, coloured=False, columns=70)


def test_what_is_printed_can_be_installed_from_packaging() -> None:
    rules = (PACKAGING / "udev/70-rootless.rules").read_text().splitlines()
    assert diagnosis.TUN_RULE in rules
    assert FUSE_RULE in rules
    sysctl = (PACKAGING / "sysctl/60-rootless.conf").read_text()
    for assignment in ("net.ipv4.ping_group_range=0 2147483647", "net.ipv4.ip_unprivileged_port_start=80"):
        assert assignment in sysctl
    assert DELEGATION in (PACKAGING / "systemd/rootless-delegate.conf").read_text()
    profile = (PACKAGING / "apparmor/rootless").read_text().splitlines()
    printed = apparmor_profile("/opt/rootless/bin/rootless")[1].replace('"/opt/rootless/', '"/{usr,opt/rootless}/')
    assert [line for line in profile if not line.startswith("#")] == printed.splitlines()


def test_an_error_carries_what_was_found() -> None:
    """And shows both fixes, each where there is one."""
    found = Finding("it is so", "nothing runs", "a", "b\nc")
    assert NotSupported("no", finding=found).hint == "a\nask the administrator for:\nb\nc"
    assert NotSupported("no", finding=found._replace(fix_user="")).hint == "ask the administrator for:\nb\nc"
    assert NotSupported("no", finding=Finding("it is so", fix_user="a")).hint == "a"
    assert (NotSupported("no").hint, NotSupported("no", hint="x").finding) == (None, None)
