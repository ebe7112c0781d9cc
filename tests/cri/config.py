"""containerd's config.toml, as docs/kubernetes.md has it, with places of the tests' own."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

PAUSE = "localhost/pause:1"
CNI_PROGRAMS = "/usr/lib/cni"


class Config(NamedTuple):
    """`version` is the file's: 2 for containerd 1.6 and 1.7, 3 for containerd 2. `handlers`: programs by the handlers' names."""

    version: int
    data: Path
    socket: Path
    snapshotter: str
    handlers: Mapping[str, str]
    user: bool  # an ordinary one
    limits: bool
    systemd_cgroup: bool

    def text(self) -> str:
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        runtime, images = (cri, cri) if self.version == 2 else (f'plugins."io.containerd.cri.v1.{part}"' for part in ("runtime", "images"))
        tables: dict[str, dict[str, Any]] = defaultdict(dict)
        tables["grpc"] = {"address": str(self.socket)}
        tables[cri]["stream_server_address"] = "127.0.0.1"
        tables[runtime]["restrict_oom_score_adj"] = True
        if self.user:
            tables[runtime] |= dict.fromkeys(
                ("disable_apparmor", "disable_hugetlb_controller", "tolerate_missing_hugetlb_controller"), True
            )
        if self.version == 2:
            tables[cri] |= {"disable_cgroup": not self.limits, "sandbox_image": PAUSE}
            tables[f"{cri}.containerd"]["snapshotter"] = self.snapshotter
        else:
            tables[images]["snapshotter"] = self.snapshotter
            tables[f"{images}.pinned_images"]["sandbox"] = PAUSE
        programs = {"bin_dir": CNI_PROGRAMS} if self.version == 2 else {"bin_dirs": [CNI_PROGRAMS]}
        tables[f"{runtime}.cni"] = {**programs, "conf_dir": f"{self.data}/cni"}
        tables[f"{runtime}.containerd"]["default_runtime_name"] = "rootless-oci"
        for name, program in self.handlers.items():
            handler = f"{runtime}.containerd.runtimes.{name}"
            tables[handler] = {"runtime_type": "io.containerd.runc.v2", "privileged_without_host_devices": True}
            options = {"BinaryName": program, "Root": f"/run/{name}", "SystemdCgroup": self.systemd_cgroup}
            tables[f"{handler}.options"] = options
        lines = [f"version = {self.version}", f'root = "{self.data}/root"', 'state = "/run/containerd"']
        for table, values in tables.items():
            lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        return "\n".join(lines) + "\n"


def network(data: Path, *, ports: bool) -> str:
    """CNI's configuration list: `ptp`, and with `ports` host ports by `portmap`, which calls iptables."""
    addresses = {
        "type": "host-local", "dataDir": f"{data}/addresses", "ranges": [[{"subnet": "10.89.7.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}],
    }  # fmt: skip
    plugins: list[dict[str, Any]] = [{"type": "ptp", "ipMasq": False, "ipam": addresses}]
    if ports:
        plugins.append({"type": "portmap", "capabilities": {"portMappings": True}})
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": plugins})
