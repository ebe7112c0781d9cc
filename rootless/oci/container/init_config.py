"""From the configuration to all that the container's first process needs, and every error that can
be told before there is one. HOT."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.linux import namespace as n
from rootless.oci import console
from rootless.oci.config.bundle import Bundle
from rootless.oci.container import user_namespace
from rootless.oci.container.init_callbacks import OciInitCallbacks
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import namespaces
from rootless.runtime.launch import init
from rootless.runtime.mounts.bind import Bind
from rootless.runtime.mounts.plan import PlanFacts, build_plan
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.runtime.process.sealed_exec import open_exec_helper
from rootless.runtime.seccomp import profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rootless.oci.cgroup.cgroup import Cgroup


class CreateRequest(Record):
    """What the command line adds to a bundle. `detach`: the container outlives us."""

    id: str
    root: str
    bundle: Bundle
    console_socket: str | None
    preserve_fds: int
    pivot: bool
    keyring: bool
    detach: bool
    waits: bool  # for `start`; else it runs as soon as it can
    pid_file: str | None
    place: Callable[[dict[str, Any], str], Cgroup]


def open_namespaces(linux: dict[str, Any], *, own_user: bool) -> namespaces.Joined:
    wanted = namespaces.read_namespaces(
        {"namespaces": [entry for entry in linux.get("namespaces") or [] if not _is_new_time(entry)]}
    )
    new = wanted.new if own_user else wanted.new & ~n.CLONE_NEWUSER
    for kind, path in wanted.join:
        _check_namespace(linux, kind, path)
    return namespaces.open_joined(wanted._replace(new=new))


def _is_new_time(entry: dict[str, Any]) -> bool:
    # clone(2) has no room for its flag: the init makes it itself.
    return entry["type"] == "time" and not entry.get("path")


def _check_namespace(linux: dict[str, Any], kind: str, path: str) -> None:
    index = next(i for i, entry in enumerate(linux["namespaces"]) if entry["type"] == kind)
    name = f"config.json: linux.namespaces[{index}].path: {path}"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidInput(f"{name}: {(error.strerror or '').lower()}") from None
    try:
        found = n.ns_type(fd)
    except OSError:
        raise InvalidInput(f"{name} is not a namespace") from None
    finally:
        os.close(fd)
    if found != namespaces.FLAGS[kind]:
        raise InvalidInput(f"{name} is not a {kind} namespace")


def build_init_config(
    request: CreateRequest, joined: namespaces.Joined, maps: user_namespace.Maps | None, callbacks: OciInitCallbacks, *, capable: bool
) -> init.InitConfig:
    spec = request.bundle.spec
    process = spec["process"]
    kinds = {kind for kind, _ in joined.fds}

    def own(name: str) -> bool:
        return bool(joined.new & namespaces.FLAGS[name]) or name in kinds

    root = Rootfs("directory", (), "", "", request.bundle.rootfs, False)
    size = process.get("consoleSize") or console.own_size(process, request.console_socket)
    circumstances = PlanFacts(
        own_pid=own("pid"),
        own_network=own("network"),
        own_ipc=own("ipc"),
        own_uts=own("uts"),
        tty_group=maps is None or namespaces.is_mapped(maps.gid, 5),
        base=request.bundle.path,
        any_filesystem=True,
        make_nodes=capable and maps is None,
        mount_label=(spec.get("linux") or {}).get("mountLabel") or "",
    )
    plan = build_plan(spec, circumstances)
    if capable and (maps is not None or any(isinstance(step, Bind) and step.idmap for step in plan)):
        from rootless.oci.container.mount_sources import open_binds

        plan = open_binds(plan, maps)
        callbacks = callbacks._replace(
            mounts=tuple(step.fd for step in plan if isinstance(step, Bind) and step.fd >= 0)
        )
    prepare: init.Prepare | None = None
    if any({"idmap", "ridmap"} & set(entry.get("options") or ()) for entry in spec.get("mounts") or ()):
        # Whoever asks for none imports nothing for it.
        from rootless.runtime.mounts import mapped_tmpfs

        prepare = mapped_tmpfs.prepare
    stdio = None if process.get("terminal") else (os.dup(0), os.dup(1), os.dup(2))
    return init.InitConfig(
        spec=spec,
        root=root,
        plan=plan,
        new=joined.new,
        stdio=stdio,
        rows=int(size.get("height") or 0),
        columns=int(size.get("width") or 0),
        seccomp=profile.filter_of(spec, cache_dir=os.path.join(request.root, ".seccomp")),
        callbacks=callbacks,
        preserve_fds=request.preserve_fds,
        keyring=request.keyring,
        pivot=request.pivot,
        program=open_exec_helper(process),
        undumpable=bool(joined.fds) and not joined.new & n.CLONE_NEWUSER,
        open_sources=prepare,
    )
