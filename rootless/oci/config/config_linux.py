"""The rules of `linux` in config.json: config-linux.json and defs-linux.json of the specification. Hot path."""

from __future__ import annotations

from rootless.oci.config.defs import (
    DEVICE_NUMBER,
    ID_MAPPINGS,
    INT64,
    STRING_MAP,
    STRINGS,
    UINT16,
    UINT32,
    UINT64,
    file_mode,
    is_page_size,
)
from rootless.oci.config.validate import array, boolean, mapping, pattern, record, string, words

_weight = {"weight": UINT16, "leafWeight": UINT16}
_throttle = array(record({**DEVICE_NUMBER, "rate": UINT64}, required=("major", "minor")))

RESOURCES = record(
    {
        "unified": STRING_MAP,
        "devices": array(
            record({"allow": boolean, "type": string, **DEVICE_NUMBER, "access": string}, required=("allow",))
        ),
        "pids": record({"limit": INT64}, required=("limit",)),
        "blockIO": record(
            {
                **_weight,
                "throttleReadBpsDevice": _throttle,
                "throttleWriteBpsDevice": _throttle,
                "throttleReadIOPSDevice": _throttle,
                "throttleWriteIOPSDevice": _throttle,
                "weightDevice": array(record({**DEVICE_NUMBER, **_weight}, required=("major", "minor"))),
            }
        ),
        "cpu": record(
            {
                "cpus": string,
                "mems": string,
                "period": UINT64,
                "quota": INT64,
                "burst": UINT64,
                "realtimePeriod": UINT64,
                "realtimeRuntime": INT64,
                "shares": UINT64,
                "idle": INT64,
            }
        ),
        "hugepageLimits": array(
            record(
                {"pageSize": pattern(is_page_size, "a size such as 2MB"), "limit": UINT64},
                required=("pageSize", "limit"),
            )
        ),
        "memory": record(
            {
                "kernel": INT64,
                "kernelTCP": INT64,
                "limit": INT64,
                "reservation": INT64,
                "swap": INT64,
                "swappiness": UINT64,
                "disableOOMKiller": boolean,
                "useHierarchy": boolean,
                "checkBeforeUpdate": boolean,
            }
        ),
        "network": record(
            {
                "classID": UINT32,
                "priorities": array(
                    record({"name": string, "priority": UINT32}, required=("name", "priority"))
                ),
            }
        ),
        "rdma": mapping(record({"hcaHandles": UINT32, "hcaObjects": UINT32})),
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
        "defaultErrnoRet": UINT32,
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
                    "errnoRet": UINT32,
                    "args": array(
                        record(
                            {
                                "index": UINT32,
                                "value": UINT64,
                                "valueTwo": UINT64,
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
_time_offset = record({"secs": INT64, "nanosecs": UINT32})

LINUX = record(
    {
        "devices": array(
            record(
                {
                    "type": pattern(lambda text: text in ("c", "b", "u", "p"), "c, b, u or p"),
                    "path": string,
                    "fileMode": file_mode,
                    **DEVICE_NUMBER,
                    "uid": UINT32,
                    "gid": UINT32,
                },
                required=("type", "path"),
            )
        ),
        "netDevices": mapping(record({"name": string})),
        "uidMappings": ID_MAPPINGS,
        "gidMappings": ID_MAPPINGS,
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
        "sysctl": STRING_MAP,
        "maskedPaths": STRINGS,
        "readonlyPaths": STRINGS,
        "mountLabel": string,
        "intelRdt": record(
            {
                "closID": string,
                "schemata": STRINGS,
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
        "personality": record({"domain": words("LINUX", "LINUX32"), "flags": STRINGS}),
        "timeOffsets": record({"boottime": _time_offset, "monotonic": _time_offset}),
    }
)
