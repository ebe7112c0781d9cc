"""Which compose project a container is of, as its labels say.

Only what compose made is of one: an image may have labels of compose, too (those that it built do), and a container that `run` made
of it is none of the project's.
"""

from __future__ import annotations

from rootless.engine.state.config import ContainerConfig
from rootless.errors import RootlessError
from rootless.image import run_config
from rootless.storage import images
from rootless.storage.store import Store
from rootless.words import COMPOSE_LABEL

_PROJECT, _CONFIG_HASH, _IMAGE = (COMPOSE_LABEL + key for key in ("project", "config-hash", "image"))


def project_of(store: Store, record: ContainerConfig, said: dict[str, dict[str, str]] | None = None) -> str:
    """The project's name, "" where it is of none. `said` keeps the labels of images, by id, from one question to the next."""
    labels = record["labels"]
    if not labels.get(_PROJECT) or _CONFIG_HASH not in labels:
        return ""
    said = {} if said is None else said
    image = record["image_id"]
    if image not in said:
        try:
            config = run_config.read(images.find(store, image, all_names=False).config.get("config"))
            said[image] = {key: word.text for key, word in config.labels.items()}
        except RootlessError:
            # It was removed since. No image can say its own id: that label is compose's, whatever the image said.
            ours = labels.get(_IMAGE, "").removeprefix("sha256:") == image.removeprefix("sha256:")
            return labels[_PROJECT] if ours else ""
    return labels[_PROJECT] if said[image].get(_CONFIG_HASH) != labels[_CONFIG_HASH] else ""
