"""What crosses into a container and who may look at it: exec, and namespaces by path."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.hostile.conftest import SOURCE
from tests.need import need_program
from tests.oci.bundles import Runtime


@pytest.fixture
def hostile(oci: Runtime) -> Runtime:
    """A bundle whose root has the hostile program, and whose container has every capability in its namespace."""
    program = oci.rootfs / "bin/payload"
    subprocess.run([need_program("cc"), "-static", "-O1", "-o", program, SOURCE], check=True, timeout=60)
    (oci.rootfs / "bin/tool").symlink_to("payload")
    (oci.rootfs / "bin/tool-2").symlink_to("/proc/self/exe")
    everything = [f"CAP_{name}" for name in ("SYS_PTRACE", "SYS_ADMIN", "DAC_OVERRIDE", "SETUID", "SETGID", "KILL", "SYS_CHROOT")]
    oci.spec["process"]["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), everything)
    return oci


def inherit(oci: Runtime, *words: str, fds: int = 4) -> str:
    """Run the command with descriptors that its caller forgot to close; its output."""
    root = os.open("/", os.O_PATH)
    numbers = range(50, 50 + fds)
    for number in numbers:
        os.dup2(root, number, inheritable=True)
    try:
        return oci(*words, pass_fds=tuple(numbers)).stdout
    finally:
        for number in (*numbers, root):
            os.close(number)


def join_spec(oci: Runtime, pid: int) -> None:
    """Let the bundle's container share the namespaces of `pid`."""
    linux = oci.spec["linux"]
    linux.pop("uidMappings", None)
    linux.pop("gidMappings", None)
    linux["namespaces"] = [
        {"type": "mount"},
        *({"type": name, "path": f"/proc/{pid}/ns/{name}"} for name in ("user", "ipc", "uts", "pid")),
    ]


def test_no_descriptor_crosses(hostile: Runtime) -> None:
    hostile.spec["process"]["args"] = ["payload", "descriptors"]
    hostile.write()
    assert inherit(hostile, "run", "-b", str(hostile.bundle), "r") == ""
    pid = hostile.create("sleep", "60")
    hostile("start", "c")
    assert inherit(hostile, "exec", "c", "payload", "descriptors") == ""
    join_spec(hostile, pid)
    hostile.spec["process"]["args"] = ["payload", "descriptors"]
    hostile.write()
    assert inherit(hostile, "run", "-b", str(hostile.bundle), "j") == ""


def test_what_waits_for_start_holds_nothing_of_the_callers(hostile: Runtime) -> None:
    hostile.spec["process"]["args"] = ["true"]
    hostile.write()
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    hostile("create", "-b", str(hostile.bundle), "w", pass_fds=(write_end,), capture_output=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    os.close(write_end)
    assert os.read(read_end, 1) == b"", "its last writer is gone"
    os.close(read_end)
    assert hostile.document("w")["status"] == "created"
    hostile("delete", "--force", "w")


def test_exec_before_start_as_runc(oci: Runtime, runc: Runtime) -> None:
    """In the namespaces of an init that waits, beside which it stays when that is started."""
    seen = []
    for runtime in (runc, oci):
        pid = runtime.create("sleep", "60")
        script = "hostname; cat /proc/self/uid_map; readlink /proc/self/ns/net; [ $$ -gt 1 ] && echo beside the init"
        inside = runtime("exec", "c", "sh", "-c", script)
        runtime("exec", "-d", "c", "sleep", "61", capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert runtime.document()["status"] == "created"
        runtime("start", "c")
        # runc's start does not wait for the exec of the command.
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        beside = runtime("exec", "c", "sh", "-c", "cat /proc/[0-9]*/comm").stdout.split()
        assert beside.count("sleep") == 2, "the init and what came before it"
        seen.append(inside.stdout)
        runtime("delete", "--force", "c")
    assert seen[0] == seen[1]
    assert "beside the init" in seen[1]


def test_exec_before_start_in_a_root_without_proc(oci: Runtime) -> None:
    oci.spec["mounts"] = [mount for mount in oci.spec["mounts"] if mount["destination"] != "/proc"]
    oci.spec["hostname"] = "inside"
    oci.create("sleep", "60")
    assert oci("exec", "c", "hostname").stdout == "inside\n"
    assert oci("exec", "c", "sh", "-c", "exit 7", status=7).stdout == ""
    oci("start", "c")


def test_what_waits_is_closed_to_an_exec_before_start(hostile: Runtime) -> None:
    hostile.create("sleep", "60")
    script = "for name in environ exe fd/ ns/mnt root/ mem maps; do head -c1 /proc/1/$name && echo $name; done"
    assert hostile("exec", "c", "sh", "-c", script + "; ls /proc/1/fd; ls /proc/1/map_files; true").stdout == ""
    assert hostile.document()["status"] == "created"
    hostile("start", "c")


WATCH = "payload watch 7 /bin/busybox /bin/payload >/tmp/seen"


def caught(oci: Runtime) -> list[str]:
    seen = oci.rootfs / "tmp/seen"
    deadline = time.monotonic() + 60
    while not seen.read_text().endswith("watched\n"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return [line for line in seen.read_text().splitlines() if line.startswith("caught")]


def test_exec_cannot_be_looked_into(hostile: Runtime) -> None:
    """CVE-2016-9962, and CVE-2019-5736 as a race: the command becomes a link while it is executed."""
    hostile.create("sh", "-c", f"payload swap /bin/tool /bin/tool-2 >/dev/null & exec {WATCH}")
    hostile("start", "c")
    end = time.monotonic() + 5
    seen: set[int] = set()
    while time.monotonic() < end or not {0, 126} <= seen:
        seen.add(hostile("exec", "c", "tool", "descriptors", status=None).returncode)
        hostile("exec", "c", "/nothing", status=127)
    assert caught(hostile) == []
    hostile("delete", "--force", "c")


def test_a_container_that_joins_cannot_be_looked_into(hostile: Runtime) -> None:
    pid = hostile.create("sh", "-c", WATCH)
    hostile("start", "c")
    join_spec(hostile, pid)
    hostile.spec["process"]["args"] = ["sleep", "0.2"]
    hostile.write()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        hostile("run", "-b", str(hostile.bundle), "j", stdout=subprocess.DEVNULL, capture_output=False)
    assert caught(hostile) == []
    hostile("delete", "--force", "c")


def test_a_time_namespace_where_others_are_joined(hostile: Runtime) -> None:
    pid = hostile.create("sleep", "60")
    hostile("start", "c")
    join_spec(hostile, pid)
    hostile.spec["linux"]["namespaces"].append({"type": "time"})
    hostile.spec["linux"]["timeOffsets"] = {"boottime": {"secs": 1_000_000}}
    hostile.spec["process"]["oomScoreAdj"] = 700
    hostile.spec["process"]["args"] = ["cat", "/proc/uptime", "/proc/self/oom_score_adj"]
    hostile.write()
    uptime, _, score = hostile("run", "-b", str(hostile.bundle), "j").stdout.split()
    assert float(uptime) > float(Path("/proc/uptime").read_text().split()[0]) + 999_000
    assert score == "700"


def test_exec_has_the_oom_score_of_the_container(oci: Runtime, runc: Runtime) -> None:
    """Or the caller's, where that is higher and he may not lower it: the process is refused nothing for it."""
    for runtime in (runc, oci):
        runtime.spec["process"]["oomScoreAdj"] = 321
        runtime.create("sleep", "60")
        runtime("start", "c")
        assert runtime("exec", "c", "cat", "/proc/self/oom_score_adj").stdout == "321\n"
        runtime("delete", "--force", "c")
