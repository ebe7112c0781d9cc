"""From a bundle and the command line's options to the init's configuration. Every error that can be found before
there is a process is raised here. Hot path."""

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
from rootless.runtime.launch.init import InitConfig
from rootless.runtime.launch.init_config import build_init_config, plan_facts
from rootless.runtime.mounts.bind import Bind
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.runtime.process.sealed_exec import open_exec_helper

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rootless.oci.cgroup.cgroup import Cgroup
    from rootless.runtime.launch.init import OpenSources


class CreateRequest(Record):
    """A bundle with what the command line adds. `detach`: the container outlives this command."""

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
    create_cgroup: Callable[[dict[str, Any], str], Cgroup]


def open_namespaces(linux: dict[str, Any], *, own_user: bool) -> namespaces.Joined:
    """Open what spec.linux.namespaces joins; with `own_user` the init makes a user namespace. InvalidInput."""
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


def build_config(
    request: CreateRequest,
    joined: namespaces.Joined,
    maps: user_namespace.Maps | None,
    callbacks: OciInitCallbacks,
    *,
    capable: bool,
) -> InitConfig:
    """The init of the bundle; `maps` are those of its new user namespace, None where it makes none."""
    spec = request.bundle.spec
    process = spec["process"]
    size = process.get("consoleSize") or console.own_size(process, request.console_socket)
    facts = plan_facts(joined, maps.gid if maps is not None else None)._replace(
        base=request.bundle.path,
        any_filesystem=True,
        make_nodes=capable and maps is None,
        mount_label=(spec.get("linux") or {}).get("mountLabel") or "",
    )
    config = build_init_config(
        spec,
        Rootfs("directory", (), "", "", request.bundle.rootfs, False),
        joined,
        facts,
        size=(int(size.get("height") or 0), int(size.get("width") or 0)),
        cache_dir=os.path.join(request.root, ".seccomp"),
        program=open_exec_helper(process),
    )
    plan = config.plan
    if capable and (maps is not None or any(isinstance(step, Bind) and step.idmap for step in plan)):
        from rootless.oci.container.mount_sources import open_binds

        plan = open_binds(plan, maps)
    open_sources: OpenSources | None = None
    if any({"idmap", "ridmap"} & set(entry.get("options") or ()) for entry in spec.get("mounts") or ()):
        # Who asks for none imports nothing for it.
        from rootless.runtime.mounts import mapped_tmpfs

        open_sources = mapped_tmpfs.prepare
    return config._replace(
        plan=plan,
        stdio=None if process.get("terminal") else (os.dup(0), os.dup(1), os.dup(2)),
        callbacks=callbacks,
        preserve_fds=request.preserve_fds,
        keyring=request.keyring,
        pivot=request.pivot,
        open_sources=open_sources,
    )
