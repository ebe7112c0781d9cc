"""A cap for what images take of the disk: $ROOTLESS_CACHE_MAX, or cache_max of config.toml. Off where neither is set.

Counted are downloads (blobs), unpacked layers of images and images' single files; the build cache has a budget of its own.
Over the cap goes what is used least recently of what can be had again, in this order:

    unpacked layers       of images that no container has; their blobs are here, and the next start unpacks them
    files of images       (squashed.py) not used for two days, which the same blobs make again
    images                that were pulled by the one name that they have, and not used for cache_days

Never what was built, committed, loaded or imported here, nor what a container has, nor what was used within an hour: the command
that pulls has no container yet. A second name (`rootless tag`) is a pin. Done alone (gc.lock): beside a pull, a build or a commit
nothing is done, and the next command does it. A kill at any point leaves what a prune that is killed leaves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rootless import sizes, user_config
from rootless.engine.state.events import events
from rootless.errors import InvalidInput, RootlessError
from rootless.image import manifest, reference
from rootless.image.manifest import Manifest
from rootless.session import session
from rootless.sizes import decimal
from rootless.storage import blobs, image_names, images, squashed
from rootless.storage.containers import containers
from rootless.storage.images import Image
from rootless.storage.layers import layers, step_names
from rootless.storage.maintenance import gc
from rootless.storage.store import Store
from rootless.user_config import CACHE_DAYS, CACHE_MAX
from rootless.user_setting import DEFAULT_CACHE_DAYS
from rootless.words import plain

_IN_USE_S = 3600.0
_FILES_KEPT_S = 2 * 86_400.0
"""Other machines have a store's files, too, and note the use of an image once a day."""


class Budget(NamedTuple):
    """At most `most_bytes`; images may go after `unused_days`. `source`: what says so."""

    most_bytes: int
    unused_days: int
    source: str


class _Evicted(NamedTuple):
    """How much was freed by the removal of how many layers, files, and which images, as people call them."""

    freed: int
    layers: int
    files: int
    images: list[str]


def configured() -> Budget | None:
    """The cap that is in force. InvalidInput where a variable's value is none."""
    most, source = _value(CACHE_MAX, "cache_max")
    if not most:
        return None
    days, days_source = _value(CACHE_DAYS, "cache_days")
    size = sizes.parse(most)
    if size is None:
        raise InvalidInput(f"{source}={most[:40]} is no size", hint="write a number of bytes, or 20G")
    if days and not (days.isdecimal() and len(days) < 6):
        raise InvalidInput(f"{days_source}={days[:40]} is no number of days", hint=f"{DEFAULT_CACHE_DAYS} is the default")
    return Budget(size, int(days or DEFAULT_CACHE_DAYS), source)


def _value(variable: str, key: str) -> tuple[str, str]:
    if os.environ.get(variable):
        return os.environ[variable], variable
    setting = user_config.settings().get(key)
    return (setting.value, setting.source) if setting else ("", "")


def used(store: Store) -> int:
    """Bytes that count."""
    known = {diff_id for image in images.list_images(store) for diff_id in image.diff_ids}
    return (
        sum(blobs.size(store, digest) for digest in blobs.digests(store))
        + sum(layers.size(store, diff_id) for diff_id in layers.list_layers(store) if diff_id in known)
        + squashed.total(store)[1]
    )


@contextmanager
def kept(store: Store) -> Iterator[None]:
    """Around what makes images: a cap that is none is told before the work (InvalidInput), and the cap kept after it, unless it
    failed. The caller is as for `keep`."""
    configured()
    yield
    keep(store)


def keep(store: Store) -> None:
    """Bring what images take below the cap, after something was added; what went is said in a line on stderr. The caller is
    single-threaded and holds no lease; joins the session where there is something to do."""
    budget = configured()
    if budget is None or used(store) <= budget.most_bytes:
        return
    session.join()
    with gc.alone(store) as alone:
        if not alone:
            return
        done = _Eviction(store, budget).run()
    left = used(store)
    if done.freed:
        sys.stderr.write(f"rootless: images had more than {decimal(budget.most_bytes)} ({plain(budget.source)}): {_told(done)}\n")
    if left > budget.most_bytes:
        sys.stderr.write(
            f"rootless: WARNING: images take {decimal(left)}, more than {decimal(budget.most_bytes)} ({plain(budget.source)}), and "
            "what is left has a container, was used within the hour, or is nowhere else\n"
            "hint: `rootless image prune -a` removes all that no container has, "
            "`rootless system df -v` shows what takes how much\n"
        )


def _told(done: _Evicted) -> str:
    parts = []
    if done.layers:
        parts.append(f"{done.layers} unpacked layers that no container has, which the next start unpacks again")
    if done.files:
        parts.append(f"{done.files} files of images")
    if done.images:
        parts.append(f"unused images: {plain(', '.join(done.images))}")
    return f"removed {'; '.join(parts)} ({decimal(done.freed)})"


class _Eviction:
    """One of them; gc.lock is held."""

    def __init__(self, store: Store, budget: Budget) -> None:
        self._store, self._budget = store, budget
        self._now = store.now()
        self._over = used(store) - budget.most_bytes
        self._layers = self._files = self._freed = 0
        self._names: list[str] = []
        self._listed = image_names.every(store).unnamed
        known = [(images.last_used(store, image.id), image) for image in images.list_images(store)]
        of_containers, held = _of_containers(store)
        # A time in the future, of a machine whose clock is ahead, is a use of now.
        idle = (pair for pair in known if pair[0] < self._now - _IN_USE_S and pair[1].id not in held)
        self._idle = sorted(idle, key=lambda pair: pair[0])
        self._restorable = {image.id: _restorable(store, image) for _, image in self._idle}
        busy = {diff_id for _, image in known if image.id not in self._restorable for diff_id in image.diff_ids}
        self._kept = busy | step_names.layers_of_steps(store) | of_containers

    def run(self) -> _Evicted:
        self._unpacked()
        if self._store.shared and squashed.can_be_made():
            self._squashed()
        self._pulled()
        return _Evicted(self._freed, self._layers, self._files, self._names)

    def _gone(self, size: int) -> None:
        self._freed += size
        self._over -= size

    def _unpacked(self) -> None:
        used_at: dict[str, float] = {}
        for when, image in self._idle:  # the last one, and so the latest use, counts
            used_at.update((diff_id, when) for diff_id in self._restorable[image.id])
        lost = {diff_id for _, image in self._idle for diff_id in set(image.diff_ids) - self._restorable[image.id]}
        for diff_id in sorted(used_at.keys() - lost - self._kept, key=lambda diff_id: used_at[diff_id]):
            if self._over <= 0:
                return
            size = layers.size(self._store, diff_id)
            if size:
                layers.remove(self._store, diff_id)
                self._layers += 1
                self._gone(size)

    def _squashed(self) -> None:
        for when, image in self._idle:
            whole = set(image.diff_ids) <= self._restorable[image.id]
            if self._over > 0 and whole and when < self._now - _FILES_KEPT_S:
                count, size = squashed.remove(self._store, image.diff_ids)
                self._files += count
                self._gone(size)

    def _pulled(self) -> None:
        for when, image in self._idle:
            if self._over <= 0:
                return
            old = when < self._now - self._budget.unused_days * 86_400
            if old and image.id[7:] not in self._listed and _can_be_pulled(image):
                name = reference.parse(image.names[0]).familiar()
                images.remove(self._store, image.id)
                events.write(self._store, "image", "untag", image.id, name=name)
                events.write(self._store, "image", "delete", image.id, name=name)
                self._names.append(name)
                self._gone(gc.collect_alone(self._store).freed_bytes)


def _can_be_pulled(image: Image) -> bool:
    """Whether it came from a registry, by the only name that it has. What is on this machine is not elsewhere."""
    if "topDigest" not in image.manifest or len(image.names) != 1 or image.lists:
        return False
    host = image.names[0].partition("/")[0].rpartition(":")[0] or image.names[0].partition("/")[0]
    return host != "localhost" and not host.startswith(("127.", "[::1"))


def _restorable(store: Store, image: Image) -> set[str]:
    """The layers of the image that its blobs make again (repair.restore_image)."""
    try:
        document = blobs.read(store, str(image.manifest.get("digest")))
        parsed = manifest.parse(document, str(image.manifest.get("mediaType", "")))
    except RootlessError:
        return set()  # damaged: nothing is taken away from it
    if not isinstance(parsed, Manifest) or len(parsed.layers) != len(image.diff_ids):
        return set()
    pairs = zip(parsed.layers, image.diff_ids, strict=True)
    return {diff_id for layer, diff_id in pairs if blobs.has(store, layer.digest, layer.size)}


def _of_containers(store: Store) -> tuple[set[str], set[str]]:
    """The layers of all containers, also of those whose image is gone, and of images that are mounted; and the images' ids."""
    found: set[str] = set()
    ids: set[str] = set()
    for identifier in containers.ids(store):
        try:
            config = containers.config(store, identifier, {"diff_ids": [str]})
        except RootlessError:
            continue  # gone, or damaged: gc has it so, too
        found.update(config.get("diff_ids") or ())
        ids.add(str(config.get("image_id")))
        for mount in config.get("mounts") or ():
            found.update(mount.get("diff_ids") or ())
            ids.add(str(mount.get("image")))
    return found, ids
