"""`create`: a container whose process waits for `start`. Hot path."""

from __future__ import annotations

import os

from rootless.oci.cgroup import manager
from rootless.oci.commands.flags import pass_listen_fds, preserved, root_of
from rootless.oci.config.bundle import load
from rootless.oci.container import own_state
from rootless.oci.container.create import create
from rootless.oci.container.init_config import CreateRequest
from rootless.oci.container.new_state import NewStateDirectory
from rootless.oci.log import LOG
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments


def command(args: Arguments) -> int:
    """Create the container; returns when its init is ready."""
    request = create_request(args, detach=True, waits=True)
    with NewStateDirectory(request.root, request.id) as new_state:
        create(request, new_state).channel.close()
    return 0


def create_request(args: Arguments, *, detach: bool, waits: bool) -> CreateRequest:
    """What `create` and `run` ask for, the bundle read and checked."""
    count = preserved(args)
    bundle = load(args.value("--bundle") or ".", _config(args))
    pass_listen_fds(bundle.spec["process"])
    _pass_notify_socket(bundle.spec)
    root = root_of(args)
    own_state.hide(bundle.spec, root)
    return CreateRequest(
        id=args.words[0],
        root=root,
        bundle=bundle,
        console_socket=args.value("--console-socket"),
        preserve_fds=count,
        pivot=not args.flag("--no-pivot"),
        keyring=not args.flag("--no-new-keyring"),
        detach=detach,
        waits=waits,
        pid_file=args.value("--pid-file"),
        create_cgroup=manager.manager_for(_manager_of(args)),
    )


def _pass_notify_socket(spec: dict[str, Any]) -> None:
    """Bind $NOTIFY_SOCKET into the container at the path it has here, so that the container itself says that it is
    ready, sd_notify(3). A configuration that names one keeps its own (Podman's)."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if any(word.startswith("NOTIFY_SOCKET=") for word in spec["process"].get("env") or []):
        return
    if path.startswith("/"):
        bind = {"destination": path, "type": "bind", "source": path, "options": ["bind", "nosuid", "noexec", "nodev"]}
        if not os.path.exists(path):
            LOG.warn(f"NOTIFY_SOCKET: there is no {path}")
            return
        spec["mounts"] = [*(spec.get("mounts") or []), bind]
    elif not path.startswith("@"):  # one without a file needs the network namespace it is in
        return
    spec["process"]["env"] = [*(spec["process"].get("env") or []), f"NOTIFY_SOCKET={path}"]


def _config(args: Arguments) -> str | None:
    given = args.value("--config")
    if given is None or given.startswith("/"):
        return given
    return os.path.join(args.value("--bundle") or ".", given)


def _manager_of(args: Arguments) -> str:
    """--cgroup-manager, or systemd by --systemd-cgroup."""
    if args.flag("--systemd-cgroup"):
        return "systemd"
    return manager.check_mode(args.value("--cgroup-manager") or "")
