"""The rules of config.json: the schema of the OCI runtime specification 1.3 as a table. HOT.

Every line stands for one of the specification's (schema/config-schema.json, config-linux.json,
defs.json, defs-linux.json); tests/oci/test_schema.py compares them. Wider than it in two places,
where real callers are: rootfsPropagation takes the recursive words, and a device's fileMode
may carry the bits of its type.
"""

from __future__ import annotations

from rootless.oci.schema import (
    Broken,
    anything,
    array,
    boolean,
    integer,
    mapping,
    pattern,
    record,
    string,
    words,
)
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_int32 = integer(-(1 << 31), (1 << 31) - 1)
_int64 = integer(-(1 << 63), (1 << 63) - 1)
_uint16 = integer(0, (1 << 16) - 1)
_uint32 = integer(0, (1 << 32) - 1)
_uint64 = integer(0, (1 << 64) - 1)
_strings = array(string)
_string_map = mapping(string)
_device_number = {"major": _int64, "minor": _int64}
_TYPE_BITS = 0o170000
_any_mode = integer(0, _TYPE_BITS | 0o777)


def _file_mode(value: Any) -> None:
    _any_mode(value)
    if int(value) & ~_TYPE_BITS > 0o777:
        raise Broken(f"must be between 0 and 511, not {value}")


def _is_rlimit(text: str) -> bool:
    name = text.removeprefix("RLIMIT_")
    return name != text and name.isascii() and name.isalpha() and name.isupper()


def _is_page_size(text: str) -> bool:
    number = text[:-2]
    return text[-2:] in ("KB", "MB", "GB") and number.isdecimal() and number.isascii() and number[0] != "0"


_cpu_list = pattern(lambda text: not text.strip("0123456789, -"), "a list of CPUs such as 0-3,7")

_hook = record(
    {"path": string, "args": _strings, "env": _strings, "timeout": integer(1, (1 << 63) - 1)},
    required=("path",),
)
_id_mappings = array(
    record(
        {"containerID": _uint32, "hostID": _uint32, "size": _uint32},
        required=("containerID", "hostID", "size"),
    )
)
_mount = record(
    {
        "source": string,
        "destination": string,
        "options": _strings,
        "type": string,
        "uidMappings": _id_mappings,
        "gidMappings": _id_mappings,
    },
    required=("destination",),
)

PROCESS = record(
    {
        "args": _strings,
        "commandLine": string,
        "consoleSize": record({"height": _uint64, "width": _uint64}, required=("height", "width")),
        "cwd": string,
        "env": _strings,
        "terminal": boolean,
        "user": record(
            {
                "uid": _uint32,
                "gid": _uint32,
                "umask": _uint32,
                "additionalGids": array(_uint32),
                "username": string,
            }
        ),
        "capabilities": record(
            {
                "bounding": _strings,
                "permitted": _strings,
                "effective": _strings,
                "inheritable": _strings,
                "ambient": _strings,
            }
        ),
        "apparmorProfile": string,
        "oomScoreAdj": integer(-(1 << 63), (1 << 63) - 1),
        "selinuxLabel": string,
        "ioPriority": record(
            {
                "class": words("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
                "priority": _int32,
            },
            required=("class",),
        ),
        "noNewPrivileges": boolean,
        "scheduler": record(
            {
                "policy": words(
                    "SCHED_OTHER",
                    "SCHED_FIFO",
                    "SCHED_RR",
                    "SCHED_BATCH",
                    "SCHED_ISO",
                    "SCHED_IDLE",
                    "SCHED_DEADLINE",
                ),
                "nice": _int32,
                "priority": _int32,
                "flags": array(
                    words(
                        "SCHED_FLAG_RESET_ON_FORK",
                        "SCHED_FLAG_RECLAIM",
                        "SCHED_FLAG_DL_OVERRUN",
                        "SCHED_FLAG_KEEP_POLICY",
                        "SCHED_FLAG_KEEP_PARAMS",
                        "SCHED_FLAG_UTIL_CLAMP_MIN",
                        "SCHED_FLAG_UTIL_CLAMP_MAX",
                    )
                ),
                "runtime": _uint64,
                "deadline": _uint64,
                "period": _uint64,
            },
            required=("policy",),
        ),
        "rlimits": array(
            record(
                {
                    "type": pattern(_is_rlimit, "RLIMIT_ and capital letters"),
                    "soft": _uint64,
                    "hard": _uint64,
                },
                required=("type", "soft", "hard"),
            )
        ),
        "execCPUAffinity": record({"initial": _cpu_list, "final": _cpu_list}),
    },
    required=("cwd",),
)

_weight = {"weight": _uint16, "leafWeight": _uint16}
_throttle = array(record({**_device_number, "rate": _uint64}, required=("major", "minor")))

RESOURCES = record(
    {
        "unified": _string_map,
        "devices": array(
            record(
                {"allow": boolean, "type": string, **_device_number, "access": string}, required=("allow",)
            )
        ),
        "pids": record({"limit": _int64}, required=("limit",)),
        "blockIO": record(
            {
                **_weight,
                "throttleReadBpsDevice": _throttle,
                "throttleWriteBpsDevice": _throttle,
                "throttleReadIOPSDevice": _throttle,
                "throttleWriteIOPSDevice": _throttle,
                "weightDevice": array(record({**_device_number, **_weight}, required=("major", "minor"))),
            }
        ),
        "cpu": record(
            {
                "cpus": string,
                "mems": string,
                "period": _uint64,
                "quota": _int64,
                "burst": _uint64,
                "realtimePeriod": _uint64,
                "realtimeRuntime": _int64,
                "shares": _uint64,
                "idle": _int64,
            }
        ),
        "hugepageLimits": array(
            record(
                {"pageSize": pattern(_is_page_size, "a size such as 2MB"), "limit": _uint64},
                required=("pageSize", "limit"),
            )
        ),
        "memory": record(
            {
                "kernel": _int64,
                "kernelTCP": _int64,
                "limit": _int64,
                "reservation": _int64,
                "swap": _int64,
                "swappiness": _uint64,
                "disableOOMKiller": boolean,
                "useHierarchy": boolean,
                "checkBeforeUpdate": boolean,
            }
        ),
        "network": record(
            {
                "classID": _uint32,
                "priorities": array(
                    record({"name": string, "priority": _uint32}, required=("name", "priority"))
                ),
            }
        ),
        "rdma": mapping(record({"hcaHandles": _uint32, "hcaObjects": _uint32})),
    }
)

_seccomp_action = words(
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
)
SECCOMP_ARCHITECTURES = tuple(
    f"SCMP_ARCH_{name}"
    for name in (
        "X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 "
        "PPC PPC64 PPC64LE S390 S390X SH SHEB PARISC PARISC64 RISCV64"
    ).split()
)
_seccomp = record(
    {
        "defaultAction": _seccomp_action,
        "defaultErrnoRet": _uint32,
        "flags": array(
            words(
                "SECCOMP_FILTER_FLAG_TSYNC",
                "SECCOMP_FILTER_FLAG_LOG",
                "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
            )
        ),
        "listenerPath": string,
        "listenerMetadata": string,
        "architectures": array(words(*SECCOMP_ARCHITECTURES)),
        "syscalls": array(
            record(
                {
                    "names": array(string, least=1),
                    "action": _seccomp_action,
                    "errnoRet": _uint32,
                    "args": array(
                        record(
                            {
                                "index": _uint32,
                                "value": _uint64,
                                "valueTwo": _uint64,
                                "op": words(
                                    "SCMP_CMP_NE",
                                    "SCMP_CMP_LT",
                                    "SCMP_CMP_LE",
                                    "SCMP_CMP_EQ",
                                    "SCMP_CMP_GE",
                                    "SCMP_CMP_GT",
                                    "SCMP_CMP_MASKED_EQ",
                                ),
                            },
                            required=("index", "value", "op"),
                        )
                    ),
                },
                required=("names", "action"),
            )
        ),
    },
    required=("defaultAction",),
)
_time_offset = record({"secs": _int64, "nanosecs": _uint32})

_linux = record(
    {
        "devices": array(
            record(
                {
                    "type": pattern(lambda text: text in ("c", "b", "u", "p"), "c, b, u or p"),
                    "path": string,
                    "fileMode": _file_mode,
                    **_device_number,
                    "uid": _uint32,
                    "gid": _uint32,
                },
                required=("type", "path"),
            )
        ),
        "netDevices": mapping(record({"name": string})),
        "uidMappings": _id_mappings,
        "gidMappings": _id_mappings,
        "namespaces": array(
            record(
                {
                    "type": words("mount", "pid", "network", "uts", "ipc", "user", "cgroup", "time"),
                    "path": string,
                },
                required=("type",),
            )
        ),
        "resources": RESOURCES,
        "cgroupsPath": string,
        "rootfsPropagation": words(
            "private", "shared", "slave", "unbindable", "rprivate", "rshared", "rslave", "runbindable", ""
        ),
        "seccomp": _seccomp,
        "sysctl": _string_map,
        "maskedPaths": _strings,
        "readonlyPaths": _strings,
        "mountLabel": string,
        "intelRdt": record(
            {
                "closID": string,
                "schemata": _strings,
                "l3CacheSchema": string,
                "memBwSchema": pattern(
                    lambda text: text.startswith("MB:") and "\n" not in text, "one line that begins with MB:"
                ),
                "enableMonitoring": boolean,
            }
        ),
        "memoryPolicy": record(
            {
                "mode": words(
                    "MPOL_DEFAULT",
                    "MPOL_BIND",
                    "MPOL_INTERLEAVE",
                    "MPOL_WEIGHTED_INTERLEAVE",
                    "MPOL_PREFERRED",
                    "MPOL_PREFERRED_MANY",
                    "MPOL_LOCAL",
                ),
                "nodes": string,
                "flags": array(
                    words("MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES")
                ),
            }
        ),
        "personality": record({"domain": words("LINUX", "LINUX32"), "flags": _strings}),
        "timeOffsets": record({"boottime": _time_offset, "monotonic": _time_offset}),
    }
)

CONFIG = record(
    {
        "ociVersion": string,
        "hooks": record(
            dict.fromkeys(
                (
                    "prestart",
                    "createRuntime",
                    "createContainer",
                    "startContainer",
                    "poststart",
                    "poststop",
                ),
                array(_hook),
            )
        ),
        "annotations": _string_map,
        "hostname": string,
        "domainname": string,
        "mounts": array(_mount),
        "root": record({"path": string, "readonly": boolean}, required=("path",)),
        "process": PROCESS,
        "linux": _linux,
        # Other systems' parts: not ours to judge.
        **dict.fromkeys(("solaris", "windows", "vm", "zos", "freebsd"), anything),
    },
    required=("ociVersion",),
)
