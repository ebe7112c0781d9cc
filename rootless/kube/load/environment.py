"""env and envFrom of a container: texts, and keys of ConfigMaps and Secrets, as NAME=VALUE."""

from __future__ import annotations

import re
from typing import NamedTuple

from rootless.errors import InvalidInput
from rootless.kube.load import values
from rootless.kube.load.node import Node

_OF_POD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class Sources(NamedTuple):
    """ConfigMaps and Secrets by name, each with its texts by key. `needed`: one that is named and not there is an error;
    where pods are only taken away it is not. `notes`: what has no effect, a line each."""

    maps: dict[str, dict[str, bytes]]
    secrets: dict[str, dict[str, bytes]]
    needed: bool
    notes: list[str]


class OfPod(NamedTuple):
    """What a fieldRef may ask for."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]


def environment(node: Node, sources: Sources, of_pod: OfPod) -> dict[str, str]:
    """The variables in their order; those of `env` win. InvalidInput."""
    found: dict[str, str] = {}
    for source in node.nodes("envFrom"):
        found |= _whole(source, sources)
    for entry in node.nodes("env"):
        name = values.check_variable(entry, "name", entry.text("name", required=True))
        if entry.has("value") and entry.has("valueFrom"):
            raise entry.error("valueFrom", "may not be there beside value")
        value: str | None = values.expand(entry.text("value"), found)
        if entry.has("valueFrom"):
            value = _value_from(entry, sources, of_pod)
        entry.close()
        if value is not None:
            found[name] = value
    return found


def _whole(source: Node, sources: Sources) -> dict[str, str]:
    prefix = source.text("prefix")
    found: dict[str, str] = {}
    for key, known, kind in (("configMapRef", sources.maps, "ConfigMap"), ("secretRef", sources.secrets, "Secret")):
        reference = source.node(key)
        if reference is None:
            continue
        data = named(reference, known, kind, needed=sources.needed)
        reference.close()
        for name, value in data.items():
            found[values.check_variable(source, key, prefix + name)] = _text(source, key, name, value)
    source.close()
    return found


def named(
    reference: Node, known: dict[str, dict[str, bytes]], kind: str, key: str = "name", *, needed: bool
) -> dict[str, bytes]:
    """The ConfigMap or Secret that `reference` names; {} for an optional one that is not there."""
    name = reference.text(key, required=True)
    if name in known:
        reference.flag("optional")
        return known[name]
    if reference.flag("optional") or not needed:
        return {}
    hint = "write it into the file" + (", or --configmap FILE" if kind == "ConfigMap" else "")
    raise reference.error(key, f"there is no {kind} called {name}", hint)


def _value_from(entry: Node, sources: Sources, of_pod: OfPod) -> str | None:
    source = entry.node("valueFrom")
    assert source is not None
    found: list[str | None] = []
    for key, known, kind in (("configMapKeyRef", sources.maps, "ConfigMap"), ("secretKeyRef", sources.secrets, "Secret")):
        reference = source.node(key)
        if reference is not None:
            found.append(_of_key(reference, known, kind, sources.needed))
    field = source.node("fieldRef")
    if field is not None:
        found.append(_of_field(field, of_pod))
    source.close()
    if len(found) != 1:
        raise entry.error("valueFrom", "one source is wanted")
    return found[0]


def _of_key(reference: Node, known: dict[str, dict[str, bytes]], kind: str, needed: bool) -> str | None:
    data = named(reference, known, kind, needed=needed)
    key = reference.text("key", required=True)
    reference.close()
    if key in data:
        return _text(reference, "key", key, data[key])
    if reference.flag("optional") or not needed:
        return None
    raise reference.error("key", f"the {kind} has no key {key}")


def _of_field(field: Node, of_pod: OfPod) -> str:
    field.text("apiVersion", "v1")
    path = field.text("fieldPath", required=True)
    field.close()
    if path == "metadata.name":
        return of_pod.name
    if match := _OF_POD.fullmatch(path):
        return (of_pod.labels if match[1] == "labels" else of_pod.annotations).get(match[2], "")
    raise field.error("fieldPath", f"{path} is not supported", "metadata.name, metadata.labels['...'], metadata.annotations['...']")


def _text(node: Node, key: str, name: str, value: bytes) -> str:
    error: InvalidInput
    try:
        text = value.decode()
    except UnicodeDecodeError:
        error = node.error(key, f"{name} is no text: mount it as a file")
        raise error from None
    if "\0" in text:
        raise node.error(key, f"{name} holds a NUL, which no variable may have")
    return text
