"""What is told beside results: warnings, the log that a caller reads, the steps that --debug shows."""

from __future__ import annotations

import json
import os
import pwd
import socket

import pytest

from tests.oci.bundles import Runtime


def lines(oci: Runtime) -> list[dict[str, str]]:
    return [json.loads(line) for line in (oci.bundle / "log").read_text().splitlines()]


def logging(oci: Runtime, *words: str) -> tuple[str, ...]:
    return ("--log", str(oci.bundle / "log"), "--log-format", "json", *words)


@pytest.mark.parametrize("path", ["/no/such/log", "/etc", "/proc/version"])
def test_a_log_that_cannot_be_written(oci: Runtime, path: str) -> None:
    assert f"--log: {path}: " in oci("--log", path, "list", status=1).stderr


def test_warnings_are_in_the_log_or_else_on_stderr(oci: Runtime) -> None:
    """An unknown capability SHOULD NOT stop the container and MUST be warned of; so are ambient ones that are left out. With --log
    they are in the file alone: stderr is that of the process, as with runc."""
    oci.spec["process"]["capabilities"]["bounding"] = ["CAP_KILL", "CAP_X"]
    oci.spec["process"]["capabilities"]["ambient"] = ["CAP_SYS_ADMIN", "CAP_X"]
    oci.spec["process"]["args"] = ["grep", "CapBnd", "/proc/self/status"]
    oci.write()
    done = oci(*logging(oci, "run", "--bundle", str(oci.bundle), "c"))
    assert done.stdout.split()[-1] == "0000000000000020"
    told = [line["msg"] for line in lines(oci)]
    assert told[0] == "unknown capabilities are left out: CAP_X"
    assert told[1].endswith("are left out: CAP_SYS_ADMIN")
    assert [line["level"] for line in lines(oci)] == ["warning", "warning"]
    assert done.stderr == ""
    done = oci("run", "--bundle", str(oci.bundle), "c")
    assert all(f"rootless-oci: warning: {text}" in done.stderr for text in told)


def test_nothing_is_said_of_what_root_has_anyway(oci: Runtime, runc: Runtime) -> None:
    """Buildah makes all that is permitted ambient, and nothing inheritable: a line of 300 characters for every RUN."""
    for runtime in (runc, oci):
        sets = runtime.spec["process"]["capabilities"]
        sets["ambient"] = sets["permitted"]
        runtime.spec["process"]["args"] = ["grep", "CapAmb", "/proc/self/status"]
        runtime.write()
        done = runtime("run", "--bundle", str(runtime.bundle), "c")
        assert (done.stdout, done.stderr) == ("CapAmb:\t0000000000000000\n", "")


@pytest.mark.parametrize("option", [("--debug",), ("--log-level", "debug")])
def test_debug_shows_the_steps(oci: Runtime, option: tuple[str, ...]) -> None:
    oci.write()
    done = oci(*logging(oci, *option, "run", "--bundle", str(oci.bundle), "c"))
    told = [line["msg"] for line in lines(oci) if line["level"] == "debug"]
    assert "mount proc at /proc" in told
    assert any(text.startswith("pid ") for text in told)
    assert "debug" not in done.stderr
    assert "debug: mount proc at /proc" in oci(*option, "run", "--bundle", str(oci.bundle), "c").stderr


def test_a_command_line_that_is_not_understood_is_logged(oci: Runtime) -> None:
    oci(*logging(oci, "frobnicate"), status=1)
    assert "frobnicate" in lines(oci)[0]["msg"]


def test_exec_has_the_personality_of_the_container(oci: Runtime) -> None:
    oci.spec["linux"]["personality"] = {"domain": "LINUX32"}
    shown = oci.run("/bin/busybox", "uname", "-m").strip()
    assert os.uname().machine != "x86_64" or shown == "i686"
    oci.create("sleep", "60")
    oci("start", "c")
    assert oci("exec", "c", "/bin/busybox", "uname", "-m").stdout.strip() == shown


def test_exec_has_the_memory_policy_of_the_container(oci: Runtime) -> None:
    oci.spec["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0"}
    oci.create("sleep", "60")
    oci("start", "c")
    assert " bind:0 " in oci("exec", "c", "grep", "-m1", "bind:0", "/proc/self/numa_maps").stdout


def test_a_memory_policy_has_a_mode(oci: Runtime) -> None:
    oci.spec["linux"]["memoryPolicy"] = {}
    assert "linux.memoryPolicy.mode: is required" in oci.run("true", status=1)


def test_exec_cap_is_ambient_where_it_is_inheritable(oci: Runtime, runc: Runtime) -> None:
    seen = []
    for runtime in (runc, oci):
        sets = runtime.spec["process"]["capabilities"]
        sets["bounding"] = [*sets["bounding"], "CAP_NET_RAW", "CAP_CHOWN"]
        sets["inheritable"] = ["CAP_NET_RAW"]
        runtime.create("sleep", "60")
        runtime("start", "c")
        shown = [
            runtime("exec", "--cap", name, "c", "grep", "Cap", "/proc/self/status").stdout
            for name in ("CAP_NET_RAW", "CAP_CHOWN")
        ]
        seen.append(shown)
    assert seen[1][0] == seen[0][0]
    assert "CapAmb:\t0000000000002000" in seen[1][0]
    assert "CapAmb:\t0000000000000000" in seen[1][1]


def test_an_empty_home_is_looked_up(oci: Runtime, runc: Runtime) -> None:
    for runtime in (runc, oci):
        runtime.spec["process"]["env"] = ["PATH=/bin", "HOME="]
        assert runtime.run("sh", "-c", "echo $HOME") == "/root\n"


def test_the_owner_has_a_name(oci: Runtime) -> None:
    oci.create("sleep", "60")
    name = pwd.getpwuid(os.getuid()).pw_name
    assert oci("list").stdout.splitlines()[1].split()[-1] == name
    assert json.loads(oci("list", "-f", "json").stdout)[0]["owner"] == name


def test_who_waits_for_readiness_hears_it_from_inside(oci: Runtime) -> None:
    """sd_notify(3): the socket is bound to the same place in the container."""
    path = oci.bundle / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waiting:
        waiting.bind(str(path))
        oci.spec["process"]["args"] = ["sh", "-c", "test -S $NOTIFY_SOCKET && echo $NOTIFY_SOCKET"]
        oci.write()
        assert oci("run", "--bundle", str(oci.bundle), "c", more={"NOTIFY_SOCKET": str(path)}).stdout == f"{path}\n"
        oci.spec["process"]["env"].append("NOTIFY_SOCKET=/of/podman")
        oci.spec["process"]["args"] = ["sh", "-c", "echo $NOTIFY_SOCKET"]
        oci.write()
        assert oci("run", "--bundle", str(oci.bundle), "c", more={"NOTIFY_SOCKET": str(path)}).stdout == "/of/podman\n"
        oci.spec["process"]["env"].pop()
        oci.write()
    gone = oci("run", "--bundle", str(oci.bundle), "c", status=None, more={"NOTIFY_SOCKET": "/no/such"})
    assert "NOTIFY_SOCKET: there is no /no/such" in gone.stderr
