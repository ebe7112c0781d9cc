"""launch() against the real kernel: what a container sees, may do, and how it fails."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.runtime.conftest import Box, gone


def test_it_sees_its_own_processes_host_name_and_network(box: Box) -> None:
    out = box.shell("ps -o pid,args; hostname; ls /sys/class/net; cat /proc/1/comm; true")
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["1", "2"]
    assert "box\nlo\nsh\n" in out


def test_exit_status_signals_and_both_streams(box: Box) -> None:
    answer = box.run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (answer["status"], answer["stdout"], answer["stderr"]) == (7, "out\n", "err\n")


def test_stdin_reaches_the_command(box: Box) -> None:
    assert box.run("cat", stdin="hello")["stdout"] == "hello"


def test_defaults_are_as_strong_as_dockers(box: Box) -> None:
    out = box.shell(
        "cat /proc/self/status; ls -A /proc/acpi /sys/firmware; wc -c < /proc/keys; readlink /proc/self/fd/0"
    )
    status = dict(line.split(":\t", 1) for line in out.splitlines() if ":\t" in line)
    assert status["CapEff"] == status["CapBnd"] == "00000000800405fb"
    assert status["CapAmb"] == status["CapInh"] == "0" * 16
    assert status["Seccomp"] == "2"
    assert out.endswith("/proc/acpi:\n\n/sys/firmware:\n0\n/dev/null\n")
    denied = box.run(
        "sh", "-c", "echo 1 > /proc/sys/kernel/panic; echo 1 > /sys/kernel/x; mount -t tmpfs x /etc; echo $?"
    )
    assert "Read-only file system" in denied["stderr"]
    assert "permission denied" in denied["stderr"]


def test_no_descriptor_but_three_is_left_open(box: Box) -> None:
    assert box.shell("ls /proc/1/fd; true").split() == ["0", "1", "2"]


def test_devices_work_and_links_are_there(box: Box) -> None:
    out = box.shell(
        "head -c 3 /dev/zero | wc -c; echo x > /dev/null; for l in fd stdout ptmx; do readlink /dev/$l; done"
    )
    assert out.split() == ["3", "/proc/self/fd", "/proc/self/fd/1", "pts/ptmx"]


def test_a_user_by_number_and_by_name(box: Box) -> None:
    box.spec["process"]["user"] = {"uid": 33, "gid": 44, "additionalGids": [55]}
    assert "uid=33 gid=44 groups=55" in box.shell("id")
    (box.layer / "etc/passwd").write_text("web:x:12:13::/srv:/bin/sh\n")
    box.spec["process"]["user"] = {"username": "web"}
    out = box.shell("id; echo $HOME; grep CapEff /proc/self/status; echo again > /dev/stdout")
    assert out.startswith("uid=12(web) gid=13")
    assert "/srv" in out
    assert "CapEff:\t0000000000000000" in out


def test_a_terminal_from_its_own_devpts(box: Box) -> None:
    out = box.run(
        "sh", "-c", "tty; ls /dev/pts; ls -l /dev/console; stty size 2>/dev/null; echo done", terminal=True
    )["stdout"]
    assert out.startswith("/dev/pts/0\r\n")
    assert "done" in out


@pytest.mark.parametrize(
    ("args", "kind", "message"),
    [
        (["foo"], "CommandNotFound", 'exec: "foo": executable file not found in $PATH'),
        (["/no/such"], "CommandNotFound", 'exec: "/no/such": no such file or directory'),
        (["/etc"], "CommandNotExecutable", 'exec: "/etc": is a directory'),
        (["/plain"], "CommandNotExecutable", 'exec: "/plain": permission denied'),
        (["/garbage"], "CommandNotExecutable", 'exec: "/garbage": exec format error'),
        (
            ["/proc/self/exe"],
            "CommandNotExecutable",
            'exec: "/proc/self/exe": refusing to execute through a link of /proc',
        ),
        (["/evil"], "CommandNotExecutable", 'exec: "/evil": refusing to execute through a link of /proc'),
        (["/loop"], "CommandNotExecutable", 'exec: "/loop": too many levels of symbolic links'),
        (["loop"], "CommandNotExecutable", 'exec: "loop": too many levels of symbolic links'),
        (["/loop/sh"], "CommandNotExecutable", 'exec: "/loop/sh": too many levels of symbolic links'),
        (["/round"], "CommandNotExecutable", 'exec: "/round": too many levels of symbolic links'),
        (["/stale"], "CommandNotFound", 'exec: "/stale": its interpreter /no/sh does not exist'),
    ],
)
def test_commands_that_cannot_run(box: Box, args: list[str], kind: str, message: str) -> None:
    for one, other in {"loop": "pool", "pool": "/loop", "bin/loop": "loop"}.items():
        (box.layer / one).symlink_to(other)
    for name, text in {"evil": "#!/proc/self/exe\n", "round": "#!/loop\n", "stale": "#!/no/sh\n", "garbage": "\1\2\3"}.items():
        (box.layer / name).write_text(text)
        (box.layer / name).chmod(0o755)
    (box.layer / "plain").write_text("x")
    answer = box.run(*args)
    assert answer["error"]["kind"] == kind
    assert answer["error"]["message"] == message
    assert answer["exit_code"] == (127 if kind == "CommandNotFound" else 126)


def test_a_failure_names_its_step(box: Box) -> None:
    box.spec["mounts"].append({"destination": "/x", "type": "tmpfs", "options": ["size=nonsense"]})
    assert "mount tmpfs at /x" in box.run("true")["error"]["message"]
    box.spec["mounts"][-1] = {"destination": "/x", "type": "bind", "source": "/no/such", "options": ["rbind"]}
    assert box.run("true")["error"]["message"].endswith("bind source path does not exist: /no/such")


def test_an_error_of_the_network_comes_up_and_nothing_stays(box: Box) -> None:
    assert box.run("true", network=True)["network"] == {"address": "10.0.2.100"}
    answer = box.run("sleep", "100", network=True, network_error="no such network")
    assert answer["error"]["message"] == "no such network"


def test_what_is_too_long_for_a_message_is_an_error_and_nothing_stays(box: Box) -> None:
    answer = box.run("sleep", "100", network=True, network_more={"warnings": ["x" * 70_000]})
    assert "is too long" in answer["error"]["message"]
    answer = box.run("true", network=True, network_more={"ports": ["x" * 70_000]})
    assert answer["network"] == {"address": "10.0.2.100"}


def test_binds_read_only_and_not_and_of_a_file(box: Box) -> None:
    data = box.home / "data"
    data.mkdir()
    (data / "file").write_text("host\n")
    box.spec["mounts"] += [
        {"destination": "/rw", "type": "bind", "source": str(data), "options": ["rbind"]},
        {"destination": "/deep/ro", "type": "bind", "source": str(data), "options": ["rbind", "ro"]},
        {"destination": "/etc/one", "type": "bind", "source": str(data / "file"), "options": ["bind"]},
    ]
    out = box.shell("cat /etc/one; echo new > /rw/made; touch /deep/ro/x 2>&1; cat /deep/ro/made")
    assert out == "host\ntouch: /deep/ro/x: Read-only file system\nnew\n"
    assert (data / "made").stat().st_uid == os.getuid()


def test_a_read_only_root(box: Box) -> None:
    box.spec["root"] = {"path": "rootfs", "readonly": True}
    box.spec["mounts"].append({"destination": "/run", "type": "tmpfs"})
    assert "Read-only" in box.shell("touch /x 2>&1; touch /run/x")


def test_a_directory_as_root(box: Box) -> None:
    box.shell("echo kept > /etc/kept", driver="directory")
    assert (box.layer / "etc/kept").read_text() == "kept\n"


def test_fuse_overlayfs_as_root(box: Box) -> None:
    out = box.shell("mount | head -1; touch /made; ps | wc -l", driver="fuse-overlayfs")
    assert "fuse-overlayfs on /" in out
    assert (box.directory / "upper/made").exists()


def test_hostile_targets_stay_inside(box: Box, tmp_path: Path) -> None:
    outside = box.home / "outside"
    outside.mkdir()
    (box.layer / "out").symlink_to(outside)
    (box.layer / "up").symlink_to("../../../../../../../.." + str(outside))
    (box.layer / "etc/resolv.conf").symlink_to("../run/nothing/resolv.conf")
    for guest in ("/out/a", "/up/b"):
        box.spec["mounts"].append({"destination": guest, "type": "tmpfs", "options": ["mode=700"]})
    box.spec["mounts"].append(
        {"destination": "/etc/resolv.conf", "type": "bind", "source": "/etc/hostname", "options": ["bind"]}
    )
    out = box.shell("mount")
    assert f"{outside}/a" in out
    assert "on /run/nothing/resolv.conf" in out
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_proc_and_sys_are_never_mounted_on_a_link(box: Box, name: str) -> None:
    (box.layer / "elsewhere").mkdir()
    (box.layer / name).symlink_to("elsewhere")
    message = box.run("true")["error"]["message"]
    assert message == f"/{name} is a symbolic link in the image: refusing to mount on it"


def test_a_working_directory_is_made_and_must_be_inside(box: Box) -> None:
    box.spec["process"]["cwd"] = "/srv/app"
    assert box.shell("pwd") == "/srv/app\n"
    box.spec["process"]["cwd"] = "/proc/self/fd/7"
    assert "error" in box.run("pwd")


def test_sysctls_of_its_own_namespaces_only(box: Box) -> None:
    box.spec["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0", "kernel.msgmax": "9000"}
    assert (
        box.shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax") == "0\n9000\n"
    )
    box.spec["linux"]["sysctl"] = {"kernel.panic": "1"}
    assert "the whole machine's" in box.run("true")["error"]["message"]


def test_privileged_and_host_namespaces(box: Box) -> None:
    from rootless.linux.capability import CAPABILITIES

    names = list(CAPABILITIES)
    box.spec["process"]["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), names)
    box.spec["linux"] = {"namespaces": [{"type": "mount"}]}
    box.spec["mounts"][3]["options"] = ["rw"]
    del box.spec["hostname"]
    out = box.shell("mount -t tmpfs x /etc && echo mounted; ls /proc/self/task; hostname")
    assert "mounted" in out
    assert os.uname().nodename in out


def test_no_new_privileges(box: Box) -> None:
    box.spec["process"]["noNewPrivileges"] = True
    assert "NoNewPrivs:\t1" in box.shell("cat /proc/self/status")


def test_rlimits_and_umask(box: Box) -> None:
    box.spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
    box.spec["process"]["user"]["umask"] = 0o77
    assert box.shell("ulimit -n; ulimit -Hn; umask") == "100\n200\n0077\n"
    box.spec["process"]["rlimits"][0]["hard"] = 1 << 40
    assert "cannot set ulimit nofile" in box.run("true")["error"]["message"]
    box.spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": (1 << 64) - 1, "hard": (1 << 64) - 1}]
    assert "cannot set ulimit nofile=-1:-1: " in box.run("true")["error"]["message"]


def test_init_is_pid_1_from_sealed_memory(box: Box) -> None:
    box.spec["annotations"] = {"io.rootless.init": "true"}
    out = box.shell("readlink /proc/1/exe; cat /proc/1/comm; exit 0")
    assert "memfd:rootless-init" in out
    assert out.endswith("\nrootless-init\n"), "what `top -o comm` and htop show"


def test_a_killed_monitor_takes_the_container_with_it(box: Box) -> None:
    running = box.run("sleep", "1000", background=True)
    os.kill(running["monitor_pid"], signal.SIGKILL)
    assert gone(running["pid"])


def test_a_stopped_container_can_be_looked_into(box: Box) -> None:
    box.shell("touch /made")
    answer = box.ask("look")
    assert "made" in answer["mounted"]
    assert answer["mounted"] == answer["inside"]
    assert answer["host"] is False
