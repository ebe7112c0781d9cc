"""Bundles and scripts for rootless-oci on a machine of its own."""

from __future__ import annotations

import json
from typing import Any

from tests.oci.bundles import rootless_spec
from tests.vm.machine import Machine

MIB = 1 << 20
ROOTFS = "/srv/oci/rootfs"
MAKE_ROOTFS = f"""set -e
[ -e {ROOTFS}.tar ] && exit
mkdir -p {ROOTFS}; cd {ROOTFS}; mkdir -p bin etc proc sys dev tmp
cp /bin/busybox bin; bin/busybox --install -s bin; for name in bin/*; do [ $name = bin/busybox ] || ln -sf busybox $name; done
echo root:x:0:0:root:/:/bin/sh >etc/passwd
tar -cf {ROOTFS}.tar .
"""
# `up NAME [OPTION...]`: create and start; a container's streams are not ours, which would have no end.
PRELUDE = """
export PATH=/home/alice/venv/bin:$PATH
mkdir -p ~/oci; cd ~/oci; cat >config.json
up() { rootless-oci "${@:2}" create --bundle ~/oci "$1" </dev/null >out 2>&1 && rootless-oci start "$1" || { cat out; false; }; }
cgroup() { echo /sys/fs/cgroup$(cut -d: -f3 /proc/$(rootless-oci state "$1" | grep -o '"pid": [0-9]*' | cut -c8-)/cgroup); }
"""
PODMAN = "podman --runtime /home/alice/venv/bin/rootless-oci"
# `box OPTION... bb COMMAND...`: Podman's container, in the background; `box_cgroup`: its cgroup's path.
PODMAN_PRELUDE = f"""
exec 2>&1; set -e
podman import -q {ROOTFS}.tar bb
box() {{ {PODMAN} run -d --name box --network none --memory 100m "$@"; }}
box_cgroup() {{ cut -d: -f3 /proc/$({PODMAN} inspect --format '{{{{.State.Pid}}}}' box)/cgroup; }}
"""


def spec_of(user: str, *args: str, **linux: Any) -> dict[str, Any]:
    """A configuration for alice, whose container has her one id; for root one without a user namespace."""
    spec = rootless_spec(*args)
    spec["root"] = {"path": ROOTFS, "readonly": True}
    spec["linux"]["namespaces"].append({"type": "cgroup"})
    for kind in ("uid", "gid"):
        spec["linux"][f"{kind}Mappings"] = [{"containerID": 0, "hostID": 1000, "size": 1}]
    if user == "root":
        del spec["linux"]["uidMappings"], spec["linux"]["gidMappings"]
        spec["linux"]["namespaces"].remove({"type": "user"})
    spec["linux"] |= linux
    return spec


def oci(machine: Machine, user: str, spec: dict[str, Any], script: str, *, check: bool = True) -> str:
    """What the script says, stderr included; the bundle is in ~/oci."""
    done = machine.run(user, f"{PRELUDE}{'set -e' if check else ''}\nexec 2>&1\n{script}", stdin=json.dumps(spec), check=check)
    return done.stdout


def podman(machine: Machine, user: str, script: str) -> str:
    """What a script with Podman says; an error of it is the test's."""
    return machine.run(user, f"{PODMAN_PRELUDE}\n{script}").stdout


def show(name: str, *patterns: str) -> str:
    """Shell text: the files of the container's cgroup as `files` reads them."""
    return f"(cd $(cgroup {name}); grep -H . {' '.join('./' + word for word in patterns)})"


def capable(spec: dict[str, Any], *names: str) -> None:
    """Give the container these capabilities and no others."""
    spec["process"]["capabilities"] = {key: list(names) for key in ("bounding", "effective", "permitted")}


def statistics(told: str) -> list[dict[str, Any]]:
    """The data of each event "stats" in it."""
    return [json.loads(line)["data"] for line in told.splitlines() if line.startswith('{"type":')]


def files(told: str) -> dict[str, list[str]]:
    """The lines of `grep -H . FILE...`, by the file's name (the last two parts of a path with `..`)."""
    found: dict[str, list[str]] = {}
    for line in told.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.startswith(("./", "../")):
            found.setdefault(name.removeprefix("./"), []).append(value)
    return found
