"""The rules of config.json: the schema of the OCI runtime specification 1.3 as a table.

Every line stands for one of the specification's (schema/config-schema.json, config-linux.json,
defs.json, defs-linux.json); tests/oci/test_schema.py compares them. Wider than it in two places,
where real callers are: rootfsPropagation takes the recursive words, and a device's fileMode
may carry the bits of its type. Hot path.
"""

from __future__ import annotations

from rootless.oci.config.config_linux import LINUX
from rootless.oci.config.defs import (
    ID_MAPPINGS,
    INT32,
    STRING_MAP,
    STRINGS,
    UINT32,
    UINT64,
    is_rlimit,
)
from rootless.oci.config.validate import anything, array, boolean, integer, pattern, record, string, words

_cpu_list = pattern(lambda text: not text.strip("0123456789, -"), "a list of CPUs such as 0-3,7")

_hook = record(
    {"path": string, "args": STRINGS, "env": STRINGS, "timeout": integer(1, (1 << 63) - 1)},
    required=("path",),
)
_mount = record(
    {
        "source": string,
        "destination": string,
        "options": STRINGS,
        "type": string,
        "uidMappings": ID_MAPPINGS,
        "gidMappings": ID_MAPPINGS,
    },
    required=("destination",),
)

PROCESS = record(
    {
        "args": STRINGS,
        "commandLine": string,
        "consoleSize": record({"height": UINT64, "width": UINT64}, required=("height", "width")),
        "cwd": string,
        "env": STRINGS,
        "terminal": boolean,
        "user": record(
            {
                "uid": UINT32,
                "gid": UINT32,
                "umask": UINT32,
                "additionalGids": array(UINT32),
                "username": string,
            }
        ),
        "capabilities": record(
            {
                "bounding": STRINGS,
                "permitted": STRINGS,
                "effective": STRINGS,
                "inheritable": STRINGS,
                "ambient": STRINGS,
            }
        ),
        "apparmorProfile": string,
        "oomScoreAdj": integer(-(1 << 63), (1 << 63) - 1),
        "selinuxLabel": string,
        "ioPriority": record(
            {
                "class": words("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
                "priority": INT32,
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
                "nice": INT32,
                "priority": INT32,
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
                "runtime": UINT64,
                "deadline": UINT64,
                "period": UINT64,
            },
            required=("policy",),
        ),
        "rlimits": array(
            record(
                {
                    "type": pattern(is_rlimit, "RLIMIT_ and capital letters"),
                    "soft": UINT64,
                    "hard": UINT64,
                },
                required=("type", "soft", "hard"),
            )
        ),
        "execCPUAffinity": record({"initial": _cpu_list, "final": _cpu_list}),
    },
    required=("cwd",),
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
        "annotations": STRING_MAP,
        "hostname": string,
        "domainname": string,
        "mounts": array(_mount),
        "root": record({"path": string, "readonly": boolean}, required=("path",)),
        "process": PROCESS,
        "linux": LINUX,
        # Other systems' parts: not ours to judge.
        **dict.fromkeys(("solaris", "windows", "vm", "zos", "freebsd"), anything),
    },
    required=("ociVersion",),
)
