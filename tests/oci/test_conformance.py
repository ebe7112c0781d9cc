"""The same bundle run by runc and by us: what a program inside can see is the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.oci.bundles import SAFE, Runtime

Change = Callable[[dict[str, Any]], None]


def nothing(spec: dict[str, Any]) -> None:
    pass


def capabilities(spec: dict[str, Any]) -> None:
    names = ["CAP_CHOWN", "CAP_SYS_CHROOT", "CAP_NET_RAW"]
    spec["process"]["capabilities"] = {
        "bounding": [*names, "CAP_KILL"],
        "effective": names[:2],
        "permitted": names,
        "inheritable": names[:1],
        "ambient": names[:1],
    }


def no_capabilities(spec: dict[str, Any]) -> None:
    del spec["process"]["capabilities"]
    spec["process"]["noNewPrivileges"] = False


def mounts(spec: dict[str, Any]) -> None:
    spec["mounts"] += [
        {"destination": "/etc/given", "type": "bind", "source": "/etc/hostname", "options": ["bind", "ro"]},
        {"destination": "/bound", "source": "/usr/share", "options": ["rbind", "ro", *SAFE]},
        {
            "destination": "/made",
            "type": "tmpfs",
            "source": "made",
            "options": [*SAFE, "mode=1770", "size=1m"],
        },
        {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
    ]


def readonly(spec: dict[str, Any]) -> None:
    spec["root"]["readonly"] = True


def limits(spec: dict[str, Any]) -> None:
    spec["process"]["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]
    spec["process"]["user"]["umask"] = 0o027
    spec["process"]["oomScoreAdj"] = 500


def paths(spec: dict[str, Any]) -> None:
    spec["linux"]["maskedPaths"] = ["/proc/meminfo", "/proc/fs", "/no/such"]
    spec["linux"]["readonlyPaths"] = ["/proc/sys", "/no/such"]


def sysctls(spec: dict[str, Any]) -> None:
    spec["linux"]["sysctl"] = {"kernel.msgmax": "9000", "fs.mqueue.msg_max": "12"}


def network(spec: dict[str, Any]) -> None:
    spec["linux"]["namespaces"].append({"type": "network"})
    spec["mounts"].append(
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*SAFE, "ro"]}
    )


def seccomp(spec: dict[str, Any]) -> None:
    spec["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
            {
                "names": ["setpriority"],
                "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}],
            },
        ],
    }


def environment(spec: dict[str, Any]) -> None:
    spec["process"]["env"] = ["PATH=/bin", "A=one", "B=x=y", "A=two"]
    spec["process"]["cwd"] = "/new/directory"


def devices(spec: dict[str, Any]) -> None:
    spec["linux"]["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]


CASES: list[tuple[str, Change, str]] = [
    ("ids", nothing, "id; cat /proc/self/uid_map /proc/self/gid_map; hostname; pwd; umask; tty"),
    ("caps", capabilities, "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status"),
    ("no caps", no_capabilities, "grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status"),
    (
        "mounts",
        mounts,
        "cut -d' ' -f5,6 /proc/self/mountinfo | sort; cat /etc/given /data/kept; stat -c %a /made; "
        "touch /bound/x /etc/given; echo $?",
    ),
    ("read-only", readonly, "touch /x; echo $?; touch /dev/shm/x; echo $?; cut -d' ' -f5,6 /proc/self/mountinfo | sort"),
    ("limits", limits, "cat /proc/self/limits; umask; cat /proc/self/oom_score_adj"),
    ("paths", paths, "wc -c < /proc/meminfo; ls /proc/fs; echo x > /proc/sys/kernel/hostname; echo $?"),
    ("sysctl", sysctls, "cat /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max"),
    ("network", network, "ls /sys/class/net; cat /proc/net/dev | wc -l"),
    ("seccomp", seccomp, "mkdir /tmp/d 2>&1; nice -n 1 true 2>&1; grep Seccomp: /proc/self/status"),
    ("environment", environment, "env | grep -v -E 'SHLVL|_=' | sort; pwd; stat -c '%a %u' ."),
    ("devices", devices, "cd /dev; ls; ls -l | tr -s ' ' | cut -d' ' -f1,5,6 | sort; stat -c '%t %T' fuse null"),
    ("descriptors", nothing, "ls /proc/self/fd; echo a > /dev/null; cat /proc/1/comm; ps | wc -l"),
    ("status 42", nothing, "exit 42"),
    ("signal", nothing, "kill -KILL $$; sleep 1; echo alive"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "script"), [(c[1], c[2]) for c in CASES], ids=[c[0] for c in CASES])
def test_as_runc(oci: Runtime, runc: Runtime, change: Change, script: str) -> None:
    seen = []
    for runtime in (runc, oci):
        change(runtime.spec)
        runtime.spec["process"]["args"] = ["sh", "-c", script]
        runtime.write()
        done = runtime("run", "--bundle", str(runtime.bundle), "c", status=None)
        seen.append((done.returncode, done.stdout))
    assert seen[1] == seen[0]


HOOK = "echo {point} $(grep -o '\"status\": *\"[a-z]*\"' | tr -d ' ') $(readlink /proc/self/ns/mnt) >> {log}"


def test_hooks_in_order_with_the_state(oci: Runtime, runc: Runtime) -> None:
    points = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    here = os.readlink("/proc/self/ns/mnt")
    seen = []
    for runtime in (runc, oci):
        log = runtime.bundle / "log"
        runtime.spec["hooks"] = {
            point: [
                {"path": "/bin/sh", "args": ["sh", "-c", HOOK.format(point=point, log=log)],
                 "env": ["PATH=/usr/bin:/bin"], "timeout": 10}
            ]
            for point in points
        }  # fmt: skip
        runtime.spec["hooks"]["startContainer"] = [
            {"path": "/bin/sh", "args": ["sh", "-c", "/bin/busybox grep -o creat.. > /tmp/hooked; exit 0"]}
        ]
        runtime.run("sh", "-c", "cat /tmp/hooked | sort -u")
        words = [line.split() for line in log.read_text().splitlines()]
        seen.append([(point, status, ns == here) for point, status, ns in words])
    assert [entry[0] for entry in seen[1]] == list(points)
    # runc says "created" at poststart, when the process runs already (runtime.md, Lifecycle 9).
    assert seen[1][3][1] == '"status":"running"'
    del seen[0][3], seen[1][3]
    assert seen[1] == seen[0]


def test_create_and_start_as_runc(oci: Runtime, runc: Runtime) -> None:
    for runtime in (runc, oci):
        runtime.create("sh", "-c", "sleep 60")
        document = runtime.document()
        assert document["status"] == "created"
        assert {"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"} <= set(document)
        runtime("start", "c")
        assert runtime("exec", "c", "sh", "-c", "id -u; exit 5", status=5).stdout == "0\n"
        runtime("kill", "c", "KILL")
