"""Every option of runc's and crun's command lines: known here and doing what it says, or an error."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rootless.oci.arguments import _SHORT, COMMANDS, GLOBAL
from tests.harness.processes import wait_until
from tests.need import need_program
from tests.oci.bundles import Runtime
from tests.runtime.conftest import gone

# Those of commands that we have, which are "unknown option" here: RDT is refused as linux.intelRdt is, and
# cgroup v2 does not count kernel memory apart.
REFUSED = {"--l3-cache-schema", "--mem-bw-schema", "--kernel-memory", "--kernel-memory-tcp"}
QUIET: dict[str, Any] = {"capture_output": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
NO_COMMANDS = {"checkpoint", "restore", "init", "help"}


def words(*argv: str) -> set[str]:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    return set(re.findall(r"(?:^|[\s,])(--[a-z][a-z0-9-]+)", done.stdout, re.MULTILINE))


@pytest.mark.parametrize("peer", ["runc", "crun"])
def test_every_option_of_a_peer_is_known(peer: str) -> None:
    program = need_program(peer)
    known = set(GLOBAL) | set(_SHORT)
    assert words(program, "--help") <= known
    for name, command in COMMANDS.items():
        assert words(program, name, "--help") - REFUSED <= known | set(command.options), name


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_what_is_refused(oci: Runtime, option: str) -> None:
    assert f"unknown option {option}" in oci("update", option, "1", "c", status=1).stderr


@pytest.mark.parametrize("command", sorted(NO_COMMANDS))
def test_commands_that_there_are_not(oci: Runtime, command: str) -> None:
    said = oci(command, "c", status=1).stderr
    assert "unknown command" in said or "this runtime makes no checkpoints" in said


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--rootless", "maybe", "auto, true, false"),
        ("--log-format", "xml", "text, json"),
        ("--log-level", "loud", "error, warning"),
        ("--criu", "/usr/sbin/criu", "checkpoints"),
        ("--cgroup-manager", "nosuch", "cgroup manager"),
    ],
)
def test_values_of_global_options(oci: Runtime, option: str, value: str, said: str) -> None:
    oci.write()
    done = oci(f"{option}={value}", "run", "-b", str(oci.bundle), "c", status=1)
    assert said in done.stderr


def test_a_state_directory_that_others_may_change(oci: Runtime) -> None:
    """Whoever writes a container's state says which processes `kill` signals."""
    oci.create("sleep", "60")
    oci.state.chmod(0o777)
    for words in (("state", "c"), ("kill", "c", "KILL"), ("start", "c"), ("delete", "--force", "c"), ("run", "-b", str(oci.bundle), "d")):
        assert f"chmod go-w {oci.state}" in oci(*words, status=1).stderr
    oci.state.chmod(0o755)
    # Another option of the same name counts, and this one is root's.
    assert "belongs to somebody else" in oci("--root", "/usr", "run", "-b", str(oci.bundle), "d", status=1).stderr
    oci("delete", "--force", "c")


def test_options_before_and_after_the_command(oci: Runtime) -> None:
    oci.spec["process"]["args"] = ["echo", "ran"]
    oci.write()
    log = oci.bundle / "log"
    for place in (["--debug", f"--log={log}", "--rootless=auto", "run"], ["run", "--log", str(log), "--log-level=error"]):
        assert oci(*place, "-b", str(oci.bundle), "c").stdout == "ran\n"
    oci("--log", str(log), "--log-format=json", "state", "nosuch", status=1)
    assert json.loads(log.read_text().splitlines()[-1])["level"] == "error"
    for word in ("--usage", "--help", "-h"):
        assert "Usage:" in oci("run", word).stdout


@pytest.fixture
def running(oci: Runtime) -> Runtime:
    oci.create("sleep", "60")
    oci("start", "c")
    return oci


def test_exec_changes_what_it_is_asked_to(running: Runtime) -> None:
    def run(*args: str) -> str:
        return running("exec", *args).stdout

    assert run("--cwd", "/tmp", "c", "pwd") == "/tmp\n"
    assert "A=1\nB=2" in run("-e", "A=1", "--env", "B=2", "c", "env")
    assert run("-u", "0:0", "c", "id", "-u") == "0\n"
    ask = ("grep", "-E", "CapEff|CapBnd", "/proc/self/status")
    before = [int(line.split()[1], 16) for line in run("c", *ask).splitlines()]
    after = [int(line.split()[1], 16) for line in run("--cap", "CAP_SYS_CHROOT", "c", *ask).splitlines()]
    assert [new & ~old for new, old in zip(after, before, strict=True)] == [1 << 18] * 2
    assert run("c", "readlink", "/proc/self/fd/0").startswith("/dev/null")


def test_exec_no_new_privs(oci: Runtime) -> None:
    oci.spec["process"]["noNewPrivileges"] = False
    oci.create("sleep", "60")
    oci("start", "c")
    ask = ("c", "grep", "NoNewPrivs", "/proc/self/status")
    assert oci("exec", *ask).stdout.endswith("\t0\n")
    assert oci("exec", "--no-new-privs", *ask).stdout.endswith("\t1\n")


def test_exec_in_the_background(running: Runtime) -> None:
    pid_file = running.bundle / "exec.pid"
    running("exec", "--detach", "--pid-file", str(pid_file), "c", "sleep", "59", **QUIET)
    pid = int(pid_file.read_text())
    assert b"59" in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert pid in json.loads(running("ps", "-f", "json", "c").stdout)


@pytest.mark.parametrize(
    "option", [("--cwd", "/"), ("-e", "A=1"), ("-u", "0"), ("-g", "0"), ("--no-new-privs",), ("--cap", "CAP_KILL"),
               ("--process-label", "x"), ("--apparmor", "x")],
)  # fmt: skip
def test_exec_with_a_process_takes_no_changes(running: Runtime, option: tuple[str, ...]) -> None:
    path = running.bundle / "process.json"
    path.write_text(json.dumps({**running.spec["process"], "args": ["echo", "told"]}))
    assert running("exec", "-p", str(path), "c").stdout == "told\n"
    assert f"{option[0]}" in COMMANDS["exec"].short or option[0].startswith("--")
    done = running("exec", "-p", str(path), *option, "c", status=255)
    assert "does not go with --process" in done.stderr


def test_exec_without_a_cgroup(oci: Runtime) -> None:
    oci.write()
    oci.spec["process"]["args"] = ["sleep", "60"]
    oci.write()
    oci("--cgroup-manager=disabled", "run", "-d", "-b", str(oci.bundle), "c", **QUIET)
    assert "has no cgroup" in oci("exec", "--cgroup", "x", "c", "true", status=255).stderr


def test_exec_in_a_cgroup_below(oci: Runtime, delegated: Path) -> None:
    oci.spec["linux"]["cgroupsPath"] = "box"
    oci.create("sleep", "60")
    oci("start", "c")
    cgroup = Path(json.loads((oci.state / "c/state.json").read_text())["cgroup"])
    assert cgroup == delegated / "box"
    for name, said in (("../..", "is not below"), ("nosuch", "there is no cgroup"), ("cpu:x", "v1")):
        assert said in oci("exec", "--cgroup", name, "c", "true", status=255).stderr
    (cgroup / "below").mkdir()
    pid_file = oci.bundle / "below.pid"
    oci("exec", "-d", "--cgroup", "below", "--pid-file", str(pid_file), "c", "sleep", "59", **QUIET)
    assert (cgroup / "below/cgroup.procs").read_text().split() == [pid_file.read_text()]
    assert pid_file.read_text() not in (cgroup / "cgroup.procs").read_text().split()
    oci("delete", "--force", "c")


def test_kill_and_delete_by_expression(oci: Runtime) -> None:
    for name in ("web-1", "web-2", "db"):
        oci.create("sleep", "60", name=name)
    oci("start", "web-1")
    oci("kill", "--regex", "^web-", "KILL")

    def states() -> dict[str, str]:
        return {row["id"]: row["status"] for row in json.loads(oci("list", "-f", "json").stdout)}

    wait_until(lambda: states() == {"web-1": "stopped", "web-2": "stopped", "db": "created"}, "two have ended")
    oci("delete", "--regex", "web-.$")
    assert oci("list", "-q").stdout == "db\n"
    assert "not a regular expression" in oci("delete", "--regex", "(", status=1).stderr
    oci("delete", "--force", "--regex", ".")
    assert oci("list", "-q").stdout == ""


def test_kill_all(oci: Runtime) -> None:
    """Where the pid namespace is the host's the end of the init takes nobody along."""
    oci.spec["linux"]["namespaces"] = [e for e in oci.spec["linux"]["namespaces"] if e["type"] != "pid"]
    oci.create("sh", "-c", "sleep 61 & sleep 60")
    oci("start", "c")
    wait_until(lambda: len(json.loads(oci("ps", "-f", "json", "c").stdout)) == 2, "both run")
    pids = json.loads(oci("ps", "-f", "json", "c").stdout)
    oci("kill", "--all", "c", "KILL")
    assert all(gone(pid) for pid in pids)


def test_formats(running: Runtime) -> None:
    for command in (["list"], ["ps", "c"]):
        assert "table or json" in running(command[0], "--format", "xml", *command[1:], status=1).stderr


def test_no_pivot_and_no_new_keyring(oci: Runtime) -> None:
    """Done another way, and seen from inside: a root that was moved is / all the same."""
    oci.spec["process"]["args"] = ["sh", "-c", "ls / | head -1; cat /proc/self/mountinfo | wc -l"]
    oci.write()
    plain = oci("run", "-b", str(oci.bundle), "c").stdout
    assert oci("run", "--no-pivot", "--no-subreaper", "-b", str(oci.bundle), "c").stdout.split()[0] == plain.split()[0]
    oci.spec["linux"]["maskedPaths"] = []
    oci.spec["process"]["args"] = ["cat", "/proc/keys"]
    oci.write()

    def keys(*options: str) -> set[str]:
        return {line.split()[0] for line in oci("run", *options, "-b", str(oci.bundle), "c").stdout.splitlines()}

    # Those of containers that ended are still there for a moment: the kernel collects them later.
    wait_until(lambda: len(keys() - keys("--no-new-keyring")) == 1, "one more keyring, and no other")


def test_keep(oci: Runtime) -> None:
    oci.write()
    oci("run", "--keep", "-b", str(oci.bundle), "c")
    assert oci.document()["status"] == "stopped"
    oci("delete", "c")


def test_spec(oci: Runtime, tmp_path: Path) -> None:
    oci("spec", "-b", str(tmp_path), "-f", "one.json", "--rootless")
    oci("spec", "-b", str(tmp_path), "--file", "two.json")
    one, two = (json.loads((tmp_path / name).read_text()) for name in ("one.json", "two.json"))
    assert one["linux"]["uidMappings"][0]["hostID"] == os.getuid()
    assert "uidMappings" not in two["linux"]
    assert "exists already" in oci("spec", "-b", str(tmp_path), "-f", "one.json", status=1).stderr


def test_another_configuration(oci: Runtime) -> None:
    oci.spec["process"]["args"] = ["echo", "one"]
    oci.write()
    (oci.bundle / "config.json").rename(oci.bundle / "other.json")
    assert oci("run", "-b", str(oci.bundle), "--config", "other.json", "c").stdout == "one\n"
