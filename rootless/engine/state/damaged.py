"""What is shown of a container whose config.json is damaged: that it is there, and can be removed.

Imported where there is one.
"""

from __future__ import annotations

import os

from rootless.engine.options import clock
from rootless.engine.state.config import ContainerConfig
from rootless.storage.containers import containers
from rootless.storage.store import Store

IMAGE = "<damaged>"


def record(store: Store, identifier: str) -> ContainerConfig:
    """A record in place of the one that cannot be read; of nothing that could be started."""
    try:
        changed_ns = os.stat(containers.directory(store, identifier)).st_mtime_ns
    except OSError:
        changed_ns = 0
    return {
        "version": 0, "id": identifier, "name": containers.name_of(store, identifier) or identifier[:12],
        "created_at": clock.from_nanoseconds(changed_ns), "image": IMAGE, "image_id": "", "diff_ids": [], "platform": "",
        "rootfs": "", "entrypoint": [], "cmd": [], "env": [], "workdir": "/", "user": "", "group_add": [], "umask": "",
        "hostname": "", "domainname": "", "tty": False, "open_stdin": False, "detach_keys": "", "auto_remove": False,
        "init": False, "read_only": False, "labels": {}, "annotations": {}, "mounts": [], "devices": [], "ulimits": [],
        "sysctls": {}, "shm_size": 0, "stop_signal": "", "stop_timeout": None, "oom_score_adj": None, "pid": "",
        "ipc": "", "uts": "", "userns": "", "cgroupns": "",
        "network": {
            "mode": "", "options": [], "ports": [], "exposed": [], "publish_all": False, "dns": [], "dns_search": [],
            "dns_options": [], "add_host": [],
        },
        "log": {"driver": "none", "max_size": 0, "max_files": 0},
        "security": {
            "privileged": False, "cap_add": [], "cap_drop": [], "no_new_privileges": True, "seccomp": "",
            "apparmor": "", "label": [], "unmask": [], "mask": [],
        },
        "restart": {"name": "no", "retries": 0},
    }  # fmt: skip
