"""create, start, state, kill, delete, exec, run, list, ps: in order, out of order, and interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness.processes import wait_until
from tests.need import without_range
from tests.oci.bundles import Runtime
from tests.runtime.conftest import gone


def wait_for(status: str, oci: Runtime) -> None:
    deadline = time.monotonic() + 60
    while oci.document()["status"] != status:
        assert time.monotonic() < deadline, oci.document()
        time.sleep(0.02)


def test_the_whole_life(oci: Runtime) -> None:
    pid = oci.create("sh", "-c", "echo started > /tmp/mark; exec sleep 60")
    state = oci.document()
    assert (state["status"], state["pid"], state["bundle"]) == ("created", pid, str(oci.bundle))
    assert not (oci.rootfs / "tmp/mark").exists(), "nothing runs before start"
    oci("start", "c")
    wait_for("running", oci)
    wait_until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0060\x00", "the shell executes sleep")
    assert (oci.rootfs / "tmp/mark").read_text() == "started\n"
    assert oci("exec", "c", "sh", "-c", "echo inside; exit 3", status=3).stdout == "inside\n"
    assert json.loads(oci("ps", "--format", "json", "c").stdout) == [pid]
    assert "sleep 60" in oci("ps", "c").stdout
    assert [row["id"] for row in json.loads(oci("list", "--format", "json").stdout)] == ["c"]
    assert oci("list", "-q").stdout == "c\n"
    oci("kill", "c", "KILL")
    wait_for("stopped", oci)
    oci("delete", "c")
    assert "does not exist" in oci("state", "c", status=1).stderr
    assert oci("list", "--quiet").stdout == ""


def test_out_of_order(oci: Runtime) -> None:
    oci.create("sleep", "60")
    assert "already exists" in oci("create", "--bundle", str(oci.bundle), "c", status=1).stderr
    oci("start", "c")
    assert "running already" in oci("start", "c", status=1).stderr
    assert "not stopped" in oci("delete", "c", status=1).stderr
    oci("kill", "c", "9")
    wait_for("stopped", oci)
    assert "container not running" in oci("kill", "c", status=1).stderr
    assert "has stopped" in oci("start", "c", status=1).stderr
    assert "container not running" in oci("exec", "c", "true", status=255).stderr
    oci("delete", "c")
    assert "does not exist" in oci("delete", "c", status=1).stderr
    oci("delete", "--force", "c")


def test_delete_of_what_was_never_started(oci: Runtime) -> None:
    pid = oci.create("sleep", "60")
    oci("delete", "c")
    assert gone(pid)


def test_a_created_container_can_be_killed(oci: Runtime) -> None:
    oci.create("sleep", "60")
    oci("kill", "c", "KILL")
    wait_for("stopped", oci)


def test_a_killed_create_leaves_nothing(oci: Runtime) -> None:
    oci.write()
    for delay_ms in range(5, 125, 8):
        process = subprocess.Popen(
            [str(oci.program), "--root", str(oci.state), "create", "--bundle", str(oci.bundle), "k"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(delay_ms / 1000)
        process.kill()
        process.wait(60)
        # Either it exists, whole, or it does not.
        if oci("state", "k", status=None).returncode == 0:
            oci("delete", "--force", "k")
        time.sleep(0.05)
        inits = subprocess.run(
            ["pgrep", "-f", f"--root {oci.state} create"], capture_output=True, text=True, check=False
        )
        assert inits.stdout == "", f"left after {delay_ms} ms"
        assert oci("list", "--quiet").stdout == ""


def test_run_returns_the_status_and_leaves_nothing(oci: Runtime) -> None:
    oci.run("sh", "-c", "exit 7", status=7)
    oci.run("sh", "-c", "kill -TERM $$", status=None)
    assert "executable file not found" in oci.run("nosuch", status=127)
    assert oci("list", "--quiet").stdout == ""


def test_run_detached(oci: Runtime) -> None:
    oci.spec["process"]["args"] = ["sleep", "60"]
    oci.write()
    pid_file = oci.bundle / "pid"
    subprocess.run(
        [str(oci.program), "--root", str(oci.state), "run", "-d", "-b", str(oci.bundle), "--pid-file",
         str(pid_file), "c"],
        check=True, timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert oci.document()["status"] == "running"
    assert oci.document()["pid"] == int(pid_file.read_text())


def test_signals_reach_what_runs(oci: Runtime) -> None:
    oci.spec["process"]["args"] = ["sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"]
    oci.write()
    with subprocess.Popen(
        [str(oci.program), "--root", str(oci.state), "run", "-b", str(oci.bundle), "c"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 9


def test_preserved_descriptors(oci: Runtime) -> None:
    oci.spec["process"]["args"] = ["sh", "-c", "(echo through >&3) 2>&1; ls /proc/self/fd"]
    oci.write()
    told = oci.bundle / "told"
    script = f'exec 3>{told}; exec {oci.program} --root {oci.state} run -b {oci.bundle} "$@" c'

    def run(*args: str) -> list[str]:
        done = subprocess.run(
            ["sh", "-c", script, "sh", *args], capture_output=True, text=True, timeout=30, check=False
        )
        return done.stdout.split()

    assert "3" in run("--preserve-fds", "1")
    assert told.read_text() == "through\n"
    assert "descriptor" in " ".join(run()), "without the option it is closed"
    assert told.read_text() == ""
    assert "not open" in oci("run", "-b", str(oci.bundle), "--preserve-fds", "5", "c", status=1).stderr


def test_a_configuration_without_user_namespace_gets_one(oci: Runtime) -> None:
    linux = oci.spec["linux"]
    linux["namespaces"] = [entry for entry in linux["namespaces"] if entry["type"] != "user"]
    del linux["uidMappings"], linux["gidMappings"]
    lines = oci.run("cat", "/proc/self/uid_map").splitlines()
    assert lines[0].split() == ["0", str(os.getuid()), "1"]
    if not without_range():
        assert int(lines[1].split()[2]) >= 65536, "the account's subordinate ids"


def test_spec_can_be_run(oci: Runtime) -> None:
    oci("spec", "--rootless", "--bundle", str(oci.bundle))
    spec = json.loads((oci.bundle / "config.json").read_text())
    assert spec["linux"]["uidMappings"] == [{"containerID": 0, "hostID": os.getuid(), "size": 1}]
    spec["process"]["terminal"] = False
    oci.spec = spec
    assert oci.run("id", "-u") == "0\n"
    assert "exists already" in oci("spec", "--bundle", str(oci.bundle), status=1).stderr


def test_features_and_help(oci: Runtime) -> None:
    features = json.loads(oci("features").stdout)
    assert features["ociVersionMax"] == "1.3.0"
    assert "startContainer" in features["hooks"]
    assert "Usage" in oci("--help").stdout
    assert "--pid-file" in oci("create", "--help").stdout
    assert "spec: 1.3.0" in oci("--version").stdout


def test_options_before_and_after_and_the_log(oci: Runtime) -> None:
    log = oci.bundle / "log"
    oci("state", "none", "--log", str(log), "--log-format=json", status=1)
    assert json.loads(log.read_text())["msg"] == "container none does not exist"
    oci("--debug", "--log-format", "text", "--log", str(log), "state", "none", status=1)
    assert "level=error" in log.read_text()


def test_no_cgroup_says_so(oci: Runtime) -> None:
    oci.spec["linux"]["cgroupsPath"] = "/nowhere/of/ours"
    assert oci.run("echo", "fine") == "fine\n", "no resources asked: none missed"
    oci.spec["linux"]["resources"] = {"memory": {"limit": 1 << 26}}
    done = oci.run("true", status=None)
    if "cannot be enforced" in done:
        assert "linux.resources.memory.limit" in done
        assert "hint" in done


def test_delete_leaves_the_parents_of_a_cgroup(oci: Runtime, delegated: Path) -> None:
    """Those of linux.cgroupsPath are whoever's they are by then; runc removes the last one alone, too (tests/vm)."""
    oci.spec["linux"]["cgroupsPath"] = "a/b/c"
    for _ in range(2):  # those of before are in nobody's way
        oci.create("sleep", "60")
        assert (delegated / "a/b/c").is_dir()
        oci("delete", "--force", "c")
        assert [str(path.relative_to(delegated)) for path in delegated.glob("a/**/")] == ["a", "a/b"]
    (delegated / "a/b").rmdir()
    (delegated / "a").rmdir()


def test_what_waits_for_its_start_can_be_stopped(oci: Runtime, runc: Runtime) -> None:
    """By SIGTERM, though the init that waits is PID 1, as with runc: `podman init` and then `podman stop` took ten seconds."""
    for runtime in (runc, oci):
        for number in ("TERM", "INT", "HUP"):
            runtime.create("sleep", "60")
            runtime("kill", "c", number)
            wait_for("stopped", runtime)
            runtime("start", "c", status=1)
            runtime("delete", "c")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "c"}', "\0" * 100])
def test_a_damaged_record(oci: Runtime, text: str) -> None:
    """Of a disk that was full, or a machine that lost power: it is told, hides no other container, and can be removed."""
    for name in ("c", "other"):
        oci.create("sleep", "60", name=name)
    pid = oci.document()["pid"]
    for name in ("state.json", "facts"):
        (oci.state / "c" / name).write_text(text)
    for verb in ("state", "start", "kill", "delete", "ps"):
        done = oci(verb, "c", status=1)
        assert f"the record of container c is damaged: {oci.state}/c/state.json" in done.stderr
        assert "delete --force c" in done.stderr
    done = oci("list", "-q")
    assert done.stdout == "other\n"
    assert done.stderr == f"rootless-oci: warning: the record of container c is damaged: {oci.state}/c/state.json\n"
    oci("delete", "--force", "c")
    assert sorted(path.name for path in oci.state.iterdir() if path.name[0] != ".") == ["other"]
    os.kill(pid, signal.SIGKILL)
    (oci.state / "other/config.json").write_text(text and "{")
    assert "config.json" in oci("exec", "other", "true", status=255).stderr
    oci("delete", "--force", "other")


def test_checkpoints_are_refused(oci: Runtime) -> None:
    """Podman asks `checkpoint --help` whether there are any."""
    for words in (("checkpoint", "--image-path", "/x", "c"), ("checkpoint", "--help"), ("restore", "--bundle", "/x", "c")):
        assert f"{words[0]}: this runtime makes no checkpoints" in oci(*words, status=1).stderr
