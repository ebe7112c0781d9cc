"""Coverage-guided fuzzing, by hand and for as long as one likes: not part of the test run.

    python3 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install atheris click zstandard urllib3 isal
    PYTHONPATH=. /tmp/fuzz/bin/python -m tests.fuzz.atheris_targets TARGET [libFuzzer options]

TARGET is one of the names in TARGETS, an option for instance -max_total_time=600. Every target begins with
seeds of its own; a directory as a last argument keeps what was found to be new. A finding is any exception
but our own: libFuzzer writes the input to ./crash-..., and `TARGET crash-...` shows it again.
"""

from __future__ import annotations

import io
import json
import os
import socket
import sys
import tarfile
import tempfile
from collections.abc import Callable
from typing import Any

from rootless.errors import RootlessError


def _document(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def reference(data: bytes) -> None:
    from rootless.image.reference import parse

    parse(data.decode("utf-8", "replace"))


def passwd(data: bytes) -> None:
    from rootless.runtime.process.passwd import find_user

    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/etc")
        for name in ("passwd", "group"):
            with open(f"{root}/etc/{name}", "wb") as file:
                file.write(data)
        find_user(data[:20].decode("utf-8", "replace"), root=root)


def manifest(data: bytes) -> None:
    from rootless.image import manifest as manifests
    from rootless.image import platforms

    found = manifests.parse(data)
    if isinstance(found, manifests.Index):
        manifests.choose(found, platforms.host())
    else:
        for layer in found.layers:
            manifests.check_layer(layer)


def config(data: bytes) -> None:
    from rootless.image.config import parse

    parse(data)


def challenge(data: bytes) -> None:
    from rootless.image.registry.challenge import parse

    parse(data.decode("latin-1"))


def oci(data: bytes) -> None:
    """A configuration that the schema lets through: all that is made of it before a process is."""
    from rootless.oci.config.bundle import _check_sense
    from rootless.oci.config.config_schema import CONFIG
    from rootless.oci.config.validate import check
    from rootless.runtime.mounts.plan import PlanFacts, build_plan
    from rootless.runtime.namespaces import read_namespaces
    from rootless.runtime.process.capabilities import read_capabilities
    from rootless.runtime.process.scheduling import cpu_list
    from rootless.runtime.seccomp.compiler import select_rules

    spec = _document(data)
    check(spec, CONFIG, name="config.json")
    _check_sense(spec, "config.json")
    linux = spec.get("linux") or {}
    read_namespaces(linux)
    for step in build_plan(spec, PlanFacts(True, True, True, True, any_filesystem=True)):
        step.describe()
    read_capabilities(spec["process"], last=40)
    cpu_list((linux.get("memoryPolicy") or {}).get("nodes") or "", name="nodes")
    if linux.get("seccomp"):
        select_rules(linux["seccomp"], frozenset(), machine="x86_64", release="6.12")


def resources(data: bytes) -> None:
    from rootless.oci.cgroup import resources as asked
    from rootless.oci.config.config_linux import RESOURCES
    from rootless.oci.config.validate import check

    document = _document(data)
    check(document, RESOURCES, name="resources")
    asked.settings(asked.asked(document))


def options(data: bytes) -> None:
    from rootless.oci.arguments import parse
    from rootless.runtime.mounts.mount_options import parse_options

    words = data.decode("utf-8", "replace").split(" ")
    parse_options(words)
    parse(words)


def layer(data: bytes) -> None:
    import hashlib

    from rootless.storage.layers import layers
    from rootless.storage.store import Store

    with tempfile.TemporaryDirectory() as root:
        store = Store.open(root, root)
        layers.unpack(store, "sha256:" + hashlib.sha256(data).hexdigest(), io.BytesIO(data))


def answers(data: bytes) -> None:
    """What a monitor may say to its client: packets, each with its length before it."""
    from rootless.engine.lifecycle.attach import attach

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    null = os.open("/dev/null", os.O_WRONLY)
    try:
        while data:
            packet, data = data[1 : 1 + data[0]], data[1 + data[0] :]
            if packet:
                theirs.send(packet, socket.MSG_DONTWAIT)
        theirs.close()
        attach.relay(ours, stdin=None, detach_keys=None, stdout=null, stderr=null)
    except BlockingIOError:
        pass
    finally:
        os.close(null)
        ours.close()
        theirs.close()


def wire(data: bytes) -> None:
    """What a process of a launch may say, if a container has got hold of it."""
    from rootless.runtime.process.sealed_exec import raise_exec_error
    from rootless.runtime.sync import Channel

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.send(data or b"x")
        raise_exec_error(Channel(ours).receive("refused"), ["command"])


def _tar() -> bytes:
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w") as tar:
        for name, kind in (("d", tarfile.DIRTYPE), ("d/f", tarfile.REGTYPE), ("d/.wh.g", tarfile.REGTYPE),
                           ("l", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("d/.wh..wh..opq", tarfile.REGTYPE)):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, "d/f" if kind != tarfile.REGTYPE else "", 0
            entry.pax_headers = {"SCHILY.xattr.user.x": "y"}
            tar.addfile(entry)
    return found.getvalue()


_DIGEST = "sha256:" + "a" * 64
_PART = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": _DIGEST, "size": 7}
_SPEC = {
    "ociVersion": "1.3.0",
    "root": {"path": "r"},
    "process": {"cwd": "/", "args": ["x"], "capabilities": {"bounding": ["CAP_KILL"]}, "user": {"uid": 1}},
    "mounts": [{"destination": "/x", "type": "tmpfs", "options": ["ro", "size=1m"], "source": "y"},
               {"destination": "/y", "source": "z", "options": ["rbind", "rro", "idmap"]}],
    "hooks": {"prestart": [{"path": "/x"}]},
    "linux": {
        "namespaces": [{"type": "mount"}, {"type": "network", "path": "/x"}],
        "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 2}],
        "sysctl": {"net.ipv4.ip_forward": "1"},
        "maskedPaths": ["/x"], "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0-3"},
        "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]},
        "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}],
    },
}  # fmt: skip
_RESOURCES = {"pids": {"limit": 5}, "memory": {"limit": 9, "swap": 10}, "cpu": {"shares": 512, "quota": 5, "period": 9},
              "unified": {"io.max": "8:0 rbps=1"}, "rdma": {"mlx": {"hcaHandles": 1}},
              "blockIO": {"weight": 10, "throttleReadBpsDevice": [{"major": 1, "minor": 2, "rate": 3}]},
              "hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}  # fmt: skip
_MANIFEST = {"schemaVersion": 2, "config": {**_PART, "mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": [_PART]}
_INDEX = {"schemaVersion": 2, "manifests": [{**_PART, "platform": {"architecture": "amd64", "os": "linux"}}]}
_CONFIG = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [_DIGEST]},
           "config": {"Env": ["A=b"], "Volumes": {"/x": {}}, "Healthcheck": {"Test": ["CMD", "x"], "Interval": 1}}}  # fmt: skip

Target = Callable[[bytes], None]
TARGETS: dict[str, tuple[Target, tuple[Any, ...]]] = {
    "answers": (answers, (b"\x03\x10ab\x05\x12\0\0\0\0", b"\x02\x11x")),
    "challenge": (challenge, (b'Bearer realm="https://x/token",service="x", Basic realm=y',)),
    "config": (config, (_CONFIG,)),
    "layer": (layer, (_tar(),)),
    "manifest": (manifest, (_MANIFEST, _INDEX)),
    "oci": (oci, (_SPEC,)),
    "options": (options, (b"rbind ro size=1m", b"--root /x run -b /y --detach id", b"exec -e A=b id sh")),
    "passwd": (passwd, (b"root:x:0:0:root:/root:/bin/sh\nuser:x:7:8::/:/\n",)),
    "reference": (reference, (b"localhost:5000/a/b:tag@" + _DIGEST.encode(), b"debian")),
    "resources": (resources, (_RESOURCES,)),
    "wire": (wire, (b'["refused", {"errno": 8}]', b'["error", {"kind": "NotFound", "message": "x"}]')),
}


def main() -> None:
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    target, seeds = TARGETS[sys.argv.pop(1)]
    atheris.instrument_all()

    def one(data: bytes) -> None:
        try:
            target(data)
        except RootlessError:
            pass

    directory = tempfile.mkdtemp(prefix="rl-seeds-")
    for number, seed in enumerate(seeds):
        with open(f"{directory}/{number}", "wb") as file:
            file.write(seed if isinstance(seed, bytes) else json.dumps(seed).encode())
    given = [word for word in sys.argv[1:] if not word.startswith("-")]
    # The first directory is where new inputs go.
    argv = sys.argv if any(os.path.isfile(word) for word in given) else [*sys.argv, directory]
    atheris.Setup(argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
