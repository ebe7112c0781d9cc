"""The mounts of a RUN, as the runtime makes them: what is mounted is looked up here, in the step's worker."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any, NamedTuple

from rootless.build.cache import mounts as cache_mounts
from rootless.build.execute.tree import Tree
from rootless.build.plan.steps import Mount, PipeFile
from rootless.engine.files.mounts.mount_points import oci_mount
from rootless.engine.options.mount_config import Mount as ContainerMount
from rootless.errors import InvalidInput, NotFound
from rootless.runtime.mounts.build_mounts import FILE, TREE
from rootless.runtime.mounts.mount_parts import SUBPATH
from rootless.storage import named_paths
from rootless.storage.drivers import rootfs
from rootless.storage.store import Store
from rootless.words import GuestPath


class StepMount(NamedTuple):
    """A mount of the plan with what the coordinator has found for it: a tree, a secret's text, a socket."""

    mount: Mount
    tree: Tree | None = None
    secret: bytes | None = None
    socket: str = ""


class Mounted(NamedTuple):
    """For the container: mounts, and further environment."""

    mounts: list[ContainerMount]
    env: list[str]


def take_caches(store: Store, wanted: list[StepMount], directory: str) -> dict[int, str]:
    """The directories of the cache mounts among `wanted`, by position; ours until this process ends. May wait
    for another build, which has one of them."""
    taken = {}
    for number, step in enumerate(wanted):
        if step.mount.type == "cache":
            taken[number] = _take_cache(store, step, f"{directory}/seed{number}")
    return taken


def prepare(
    store: Store,
    wanted: list[StepMount],
    files: list[PipeFile],
    directory: str,
    caches: dict[int, str],
    agents: ExitStack,
) -> Mounted:
    """`directory` is the step's own, in which places to mount at are made. What serves agents ends with `agents`."""
    found = Mounted([], [])
    for number, step in enumerate(wanted):
        aside = f"{directory}/mount{number}"
        mount = step.mount
        if mount.type == "bind":
            assert step.tree is not None
            found.mounts.append(_tree(store, step.tree, mount, aside))
        elif mount.type == "cache":
            access = "ro" if mount.read_only else "rw"
            oci = oci_mount(mount.target, "bind", caches[number], "bind", "rprivate", access)
            found.mounts.append(_mount(mount.target, oci))
        elif mount.type == "tmpfs":
            options = [f"size={mount.size_bytes}"] if mount.size_bytes else []
            found.mounts.append(_mount(mount.target, oci_mount(mount.target, "tmpfs", "tmpfs", "nosuid", "nodev", *options)))
        elif mount.type == "secret":
            _secret(step, aside, found)
        elif mount.type == "ssh":
            _agent(step, aside, agents, found)
    for number, file in enumerate(files):
        text = file.content.encode("utf-8", "surrogateescape")
        aside = f"{directory}/file{number}"
        found.mounts.append(_file(file.path, text, file.mode, 0, 0, aside, executable=True))
    # Parents before children, so that one does not cover the other.
    found.mounts.sort(key=lambda mount: mount["target"].rstrip("/").count("/"))
    return found


def _mount(target: str, oci: dict[str, Any]) -> ContainerMount:
    return {
        "type": "image",  # of what this says of a mount of `run` nothing is looked at
        "source": "",
        "target": GuestPath(target),
        "read_only": False,
        "volume": "",
        "copy_up": False,
        "options": [],
        "oci": oci,
    }


def _tree(store: Store, tree: Tree, mount: Mount, aside: str) -> ContainerMount:
    os.mkdir(aside, 0o700)
    os.mkdir(aside + "/at", 0o700)
    lower = rootfs.lower_directories(store, list(tree.layers)) if tree.layers else []
    exact = named_paths.follow(tree.directory, "the context") if tree.directory else None
    if tree.directory:
        lower.append(exact or tree.directory)
    if tree.hidden:
        lower.insert(0, _hide(aside, tree))
    if not lower:  # scratch
        lower = [aside + "/empty"]
        os.mkdir(lower[0], 0o755)
    upper = work = ""
    if rootfs.probe(store) != "overlay" and (len(lower) > 1 or not mount.read_only):
        # Without the kernel's overlay: a copy, which goes with the step.
        _copy(lower, exact, aside + "/copy")
        lower, exact = [aside + "/copy"], None
    elif not mount.read_only:
        upper, work = aside + "/upper", aside + "/work"
        top = os.stat(lower[-1] if tree.hidden else lower[0])
        os.mkdir(upper)
        os.chmod(upper, top.st_mode & 0o7777)
        os.mkdir(work)
    entry = {
        "destination": mount.target,
        "type": TREE,
        SUBPATH: mount.source,
        "lower": lower,
        "exact": exact or "",
        "upper": upper,
        "work": work,
        "aside": aside + "/at",
        "read_only": mount.read_only,
    }
    return _mount(mount.target, entry)


def _copy(lower: list[str], exact: str | None, target: str) -> None:
    from rootless.linux.openat2 import open_without_links
    from rootless.storage.drivers.vfs import copy_layers

    held = open_without_links(exact) if exact else -1
    try:
        copy_layers([f"/proc/self/fd/{held}/." if path == exact else path for path in lower], target)
    finally:
        if held >= 0:
            os.close(held)


def _hide(aside: str, tree: Tree) -> str:
    """A directory of whiteouts, to be laid over the context: what .dockerignore leaves out is not there."""
    top = aside + "/hidden"
    os.mkdir(top, 0o755)
    os.chmod(top, os.stat(tree.directory).st_mode & 0o7777)
    for path in tree.hidden:
        _make_parents(top, tree.directory, os.path.dirname(path))
        os.mknod(f"{top}/{path}", 0o020000, 0)  # S_IFCHR 0:0, overlayfs's whiteout
    return top


def _make_parents(top: str, context: str, path: str) -> None:
    """The directory `path`, with the modes that it and those above have in the context."""
    if path and not os.path.isdir(f"{top}/{path}"):
        _make_parents(top, context, os.path.dirname(path))
        os.mkdir(f"{top}/{path}")
        os.chmod(f"{top}/{path}", os.stat(f"{context}/{path}").st_mode & 0o7777)


def _take_cache(store: Store, step: StepMount, aside: str) -> str:
    tree = step.tree
    if tree is None:
        return cache_mounts.use(store, step.mount).path
    from rootless.build.execute import seed

    return cache_mounts.use(store, step.mount, lambda data: seed.copy(store, tree, step.mount.source, data, aside)).path


def _secret(step: StepMount, aside: str, found: Mounted) -> None:
    mount = step.mount
    if step.secret is None:
        if mount.required:
            raise NotFound(f"secret {mount.id}: not found", hint=f"give it: --secret id={mount.id},src=FILE or ,env=NAME")
        return
    if mount.env:
        text = step.secret.decode("utf-8", "surrogateescape")
        if "\0" in text:
            raise InvalidInput(f"secret {mount.id} holds a zero byte: it cannot be a value of the environment")
        found.env.append(f"{mount.env}={text}")
    if mount.target:
        mode = 0o400 if mount.mode is None else mount.mode
        found.mounts.append(
            _file(mount.target, step.secret, mode, mount.uid, mount.gid, aside, executable=bool(mode & 0o111))
        )


def _file(target: str, text: bytes, mode: int, uid: int, gid: int, aside: str, *, executable: bool) -> ContainerMount:
    os.mkdir(aside, 0o700)
    entry = {
        "destination": target,
        "type": FILE,
        SUBPATH: "",
        "text": text,
        "mode": mode,
        "uid": uid,
        "gid": gid,
        "aside": aside,
        "executable": executable,
    }
    return _mount(target, entry)


def _agent(step: StepMount, aside: str, agents: ExitStack, found: Mounted) -> None:
    mount = step.mount
    if not step.socket:
        if mount.required:
            raise NotFound(
                f'unset ssh forward key "{mount.id}"', hint=f"forward an agent: --ssh {mount.id}, or --ssh {mount.id}=SOCKET"
            )
        return
    from rootless.build.ssh.agent import forwarding, served

    os.mkdir(aside, 0o700)
    mode = 0o600 if mount.mode is None else mount.mode
    path = agents.enter_context(served(aside, lambda: forwarding(step.socket), mode=mode, uid=mount.uid, gid=mount.gid))
    found.mounts.append(_mount(mount.target, oci_mount(mount.target, "bind", path, "bind", "rprivate")))
    if not any(word.startswith("SSH_AUTH_SOCK=") for word in found.env):
        found.env.append(f"SSH_AUTH_SOCK={mount.target}")


