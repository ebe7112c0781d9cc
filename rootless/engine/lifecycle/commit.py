"""`commit`: an image of what a container is now, as a layer above its own image's.

The container is paused meanwhile, and goes on however we end. The layer goes straight from its files into the
store, as a tar between two processes; it is packed when it is pushed.
"""

from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

from rootless import errors
from rootless.engine.files import changes
from rootless.engine.images import budget
from rootless.engine.images.lookup import familiar
from rootless.engine.lifecycle import pause
from rootless.engine.options.health import to_docker
from rootless.engine.options.mount_config import is_anonymous
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig, argv, read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.image import manifest, reference
from rootless.image.archive import instructions
from rootless.image.manifest import Descriptor, Manifest
from rootless.image.progress import silent
from rootless.image.transfer import new_image
from rootless.image.transfer.layers import Layer
from rootless.session import session
from rootless.storage import blobs, host_images, images
from rootless.storage.containers import containers
from rootless.storage.images import Image
from rootless.storage.layers import layers
from rootless.storage.layers.tar_pipe import written_by
from rootless.storage.store import Store

_STOP_SIGNAL = "SIGTERM"
"""What a container has where nothing else was asked for."""


class CommitRequest(NamedTuple):
    """What was asked for. `name` is as the user typed it, or ""; `changes` are Dockerfile instructions."""

    name: str = ""
    author: str = ""
    message: str = ""
    changes: Sequence[str] = ()
    pause: bool = True
    docker_types: bool = False


def commit(store: Store, identifier: str, request: CommitRequest) -> Image:
    """The new image. Call single-threaded; joins the session. What cannot be is refused before anything is done."""
    budget.configured()
    name = _canonical(request.name) if request.name else None
    record = read_config(store, identifier)
    base = _base(store, record)
    config = instructions.apply(_run_config(record, base), request.changes)
    session.join()
    with store.lease():
        with _halted(store, identifier) if request.pause else _as_it_is():
            layer = _add_layer(store, identifier)
        # A pulled layer could be fetched again after a power cut; this one is nowhere else.
        layers.sync(store)
        stack = _layers(store, base)
        document = _document(base, config, record, request, [*stack, *([layer] if layer else [])], empty=layer is None)
        data = json.dumps(document, separators=(",", ":")).encode()
        image = new_image.record(
            store, [*stack, *([layer] if layer else [])], data, document,
            progress=silent, docker_types=request.docker_types,
        )  # fmt: skip
        if record.get("over_host"):
            host_images.mark(store, image.id)
        if name is not None:
            images.tag(store, image.id, name)
    reference_given = {"imageRef": familiar(name)} if name is not None else {}
    events.container(store, "commit", record, comment=request.message, imageID=image.id, **reference_given)
    budget.keep(store)
    return images.find(store, image.id)


def _canonical(text: str) -> str:
    wanted = reference.parse(text)
    if wanted.digest:
        raise InvalidInput("refusing to create a tag with a digest reference")
    return wanted.canonical


def _base(store: Store, record: ContainerConfig) -> Image:
    if record.get("infra"):
        raise errors.NotSupported("the infra container of a pod has no image and no files", hint="commit a container of the pod")
    if record["rootfs"]:
        made = "from an image file" if record.get("image_file") else "with --rootfs"
        raise errors.NotSupported(
            f"a container made {made} has no image to build on", hint="`rootless export` and `import` make one"
        )
    from rootless.engine.images import from_store

    try:
        return from_store.owned(store, record["image_id"], "the new image has its layers", name=record["image"])
    except NotFound:
        raise NotFound(
            f"the image of container {record['id'][:12]} has been removed",
            hint="`rootless export` and `import` make an image of its files",
        ) from None


def _layers(store: Store, base: Image) -> list[Layer]:
    """The layers of the container's image, as its manifest has them."""
    data = blobs.read(store, str(base.manifest["digest"]))
    parsed = manifest.parse(data, str(base.manifest["mediaType"]), what=f"image {base.id[7:19]}")
    if not isinstance(parsed, Manifest):
        raise NotFound(f"image {base.id[7:19]} has no manifest", hint="pull it again")
    return [Layer(*pair) for pair in zip(parsed.layers, base.diff_ids, strict=True)]


def _run_config(record: ContainerConfig, base: Image) -> dict[str, Any]:
    """How the container runs, as an image says it: what was said to `run` counts, as with Docker."""
    of_base: dict[str, Any] = base.config.get("config") or {}
    # What every container is given anew is not the image's.
    own = {f"HOSTNAME={record['hostname']}", "TERM=xterm"} - set(of_base.get("Env") or ())
    shared = record.get("shared")  # then PID 1 is a program of ours, and its signal no word of anybody's
    config: dict[str, Any] = {
        "User": record["user"],
        "ExposedPorts": _ports(record),
        "Env": [word for word in record["env"] if word not in own],
        "Entrypoint": shared["entrypoint"] if shared else record["entrypoint"],
        "Cmd": shared["cmd"] if shared else record["cmd"],
        "Volumes": {**(of_base.get("Volumes") or {}), **_anonymous(record)},
        "WorkingDir": record["workdir"],
        "Labels": record["labels"],
        "StopSignal": record["stop_signal"] if record["stop_signal"] != _STOP_SIGNAL and not shared else of_base.get("StopSignal"),
        "Shell": of_base.get("Shell") or [],
        "ArgsEscaped": of_base.get("ArgsEscaped"),
    }
    check = record.get("healthcheck")
    if check:
        config["Healthcheck"] = to_docker(check)
    return {key: value for key, value in copy.deepcopy(config).items() if value}


def _ports(record: ContainerConfig) -> dict[str, dict[str, str]]:
    network = record["network"]
    published = (f"{port[2]}/{port[3]}" for port in network["ports"])
    return {port: {} for port in sorted({*network["exposed"], *published})}


def _anonymous(record: ContainerConfig) -> dict[str, dict[str, str]]:
    """The places of volumes without a name: their contents stay outside, that there is one does not."""
    return {m["target"]: {} for m in record["mounts"] if is_anonymous(m)}


def _document(
    base: Image,
    config: dict[str, Any],
    record: ContainerConfig,
    request: CommitRequest,
    stack: Sequence[Layer],
    *,
    empty: bool,
) -> dict[str, Any]:
    created = new_image.timestamp()
    entry: dict[str, Any] = {"created": created, "created_by": " ".join(argv(record))}
    entry |= {key: value for key, value in (("author", request.author), ("comment", request.message)) if value}
    if empty:
        entry["empty_layer"] = True
    document: dict[str, Any] = {
        "created": created,
        "author": request.author,
        "architecture": base.config.get("architecture", ""),
        "os": base.config.get("os", "linux"),
        "variant": base.config.get("variant"),
        "os.version": base.config.get("os.version"),
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in stack]},
        "history": [*(base.config.get("history") or []), entry],
    }
    return {key: value for key, value in document.items() if value or key in ("architecture", "config")}


def _add_layer(store: Store, identifier: str) -> Layer | None:
    """The container's changes as a layer of the store; None where there are none."""
    found = changes.of(store, identifier)
    if not found.kept:
        return None
    with written_by(lambda out: changes.write_layer(store, found, out), step="commit") as tar:
        made = layers.add(store, tar)
    # A layer that nobody has packed is called by its tar, as `push` and `save` know.
    return Layer(Descriptor(manifest.OCI_LAYER, made.diff_id, tar.total), made.diff_id)


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@contextmanager
def _halted(store: Store, identifier: str) -> Iterator[None]:
    """The container paused, where it runs. A process of its own lets it go on, also where we are killed."""
    found = running.find(store, identifier)
    if found is None:
        running.refuse_elsewhere(store, identifier)
        with containers.lock(store, identifier):  # so that nobody starts it
            yield
        return
    found.close()
    if found.state.get("paused"):
        yield
        return
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        _let_go_on(store, identifier, reading)
    os.close(reading)
    try:
        pause.pause(store, identifier)
        yield
    finally:
        os.close(writing)
        os.waitpid(pid, 0)


def _let_go_on(store: Store, identifier: str, reading: int) -> NoReturn:
    """Wait until the other end is closed, by hand or by death, then unpause: never returns."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.read(reading, 1)
        pause.unpause(store, identifier)
    except (Conflict, NotFound):
        pass  # it ended, or was never paused
    finally:
        os._exit(0)
