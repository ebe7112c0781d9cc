"""`ps --filter`: what moby's list takes, with its meaning. Resolved once, then asked of each row.

Words of one key are alternatives, except labels; all keys have to pass.
"""

from __future__ import annotations

from collections.abc import Callable

from rootless.engine.options import clock
from rootless.engine.options.patterns import has_labels, pattern
from rootless.engine.state.config import read_config
from rootless.engine.state.listing import ContainerRow, networks, published
from rootless.errors import InvalidInput, NotFound
from rootless.network import ports
from rootless.storage.containers import containers
from rootless.storage.store import Store

Test = Callable[[ContainerRow], bool]
Port = tuple[int, str]
_STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_HEALTH = ("starting", "healthy", "unhealthy", "none")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def tests(store: Store, filters: dict[str, list[str]]) -> list[Test]:
    """What a row has to pass. InvalidInput for a value that no container could have, NotFound for what names none."""
    found: list[Test] = []
    for key, words in filters.items():
        if key not in ("publish", "expose"):
            found.append(_MAKERS[key](store, words))
    asked = [*filters.get("publish", ()), *filters.get("expose", ())]
    if asked:
        public = {port for word in filters.get("publish", ()) for port in _ports("publish", word)}
        private = {port for word in filters.get("expose", ()) for port in _ports("expose", word)}
        found.append(lambda row: bool(_public(row) & public or _private(row) & private))
    return found


def _ids(store: Store, words: list[str]) -> Test:
    return lambda row: any(row.id.startswith(word) for word in words)


def _names(store: Store, words: list[str]) -> Test:
    matchers = [pattern("name", word) for word in words]
    return lambda row: any(match(row.name) or match("/" + row.name) for match in matchers)


def _labels(store: Store, words: list[str]) -> Test:
    return lambda row: has_labels(row.record["labels"], words)


def _states(store: Store, words: list[str]) -> Test:
    _known("status", words, _STATES)
    return lambda row: row.status.state in words


def _healths(store: Store, words: list[str]) -> Test:
    _known("health", words, _HEALTH)
    return lambda row: (row.health or "none") in words


def _known(key: str, words: list[str], known: tuple[str, ...]) -> None:
    for word in words:
        if word not in known:
            raise InvalidInput(f"invalid filter '{key}={word}'", hint="one of " + ", ".join(known))


def _exited(store: Store, words: list[str]) -> Test:
    try:
        codes = {int(word) for word in words}
    except ValueError:
        raise InvalidInput(
            f"invalid filter 'exited={words[-1]}'", hint="an exit status, as exited=1"
        ) from None
    return lambda row: row.status.state == "exited" and row.status.exit_code in codes


def _before(store: Store, words: list[str]) -> Test:
    limit = _created(store, words[-1])
    return lambda row: clock.to_nanoseconds(row.record["created_at"]) < limit


def _since(store: Store, words: list[str]) -> Test:
    limit = _created(store, words[-1])
    return lambda row: clock.to_nanoseconds(row.record["created_at"]) > limit


def _created(store: Store, word: str) -> int:
    other = read_config(store, containers.find(store, word))
    return clock.to_nanoseconds(other["created_at"])


def _volumes(store: Store, words: list[str]) -> Test:
    return lambda row: any(
        word in (mount["volume"] or mount["source"], mount["target"])
        for mount in row.record["mounts"]
        for word in words
    )


def _pods(store: Store, words: list[str]) -> Test:
    """Of a pod by its name, or by the beginning of its id, as Podman has it."""
    names = containers.names(store)

    def test(row: ContainerRow) -> bool:
        pod = row.record.get("pod") or ""
        return bool(pod) and any(names.get(pod) == word or pod.startswith(word) for word in words)

    return test


def _networks(store: Store, words: list[str]) -> Test:
    def test(row: ContainerRow) -> bool:
        known = networks(row.record)
        return any(
            word in known or word == row.record["network"]["mode"]
            or (len(word) > 11 and any(identifier.startswith(word) for identifier in known.values()))
            for word in words
        )  # fmt: skip

    return test


def _ancestors(store: Store, words: list[str]) -> Test:
    """Containers of the image that a word means, whatever name they were made by, and of images built on it."""
    from rootless.engine.images import lookup

    identifiers: set[str] = set()
    bases: set[tuple[str, ...]] = set()
    for word in words:
        try:
            image = lookup.find(store, word, all_names=False)
        except (NotFound, InvalidInput):
            continue  # the image has gone: its containers still say what it was called
        identifiers.add(image.id)
        if image.diff_ids:
            bases.add(tuple(image.diff_ids))

    def test(row: ContainerRow) -> bool:
        layers = tuple(row.record["diff_ids"])
        return (
            row.record["image_id"] in identifiers
            or bool(row.record["image"] and row.record["image"] in words)
            or any(len(layers) > len(base) and layers[: len(base)] == base for base in bases)
        )

    return test


def _tasks(store: Store, words: list[str]) -> Test:
    """Docker's swarm has tasks; here nothing is one."""
    if words[-1] not in _BOOLEANS:
        raise InvalidInput(f"invalid filter 'is-task={words[-1]}'", hint="is-task=true or is-task=false")
    return lambda row: not _BOOLEANS[words[-1]]


def _isolation(store: Store, words: list[str]) -> Test:
    """Another system's: Docker on Linux looks at it no more than we do."""
    return lambda row: True


def _ports(key: str, word: str) -> list[Port]:
    """`8080`, `8000-8080`, `53/udp`: every port meant."""
    text, _, protocol = word.partition("/")
    first, dash, last = text.partition("-")
    numbers = (first, last) if dash else (first, first)
    valid = all(number.isascii() and number.isdigit() and len(number) < 6 for number in numbers)
    low, high = (int(numbers[0]), int(numbers[1])) if valid else (1, 0)
    if not low <= high <= 65535 or protocol not in ("", "tcp", "udp", "sctp"):
        raise InvalidInput(
            f"invalid filter '{key}={word}'", hint=f"{key}=80, {key}=8000-8080/tcp or {key}=53/udp"
        )
    return [(number, protocol or "tcp") for number in range(low, high + 1)]


def _public(row: ContainerRow) -> set[Port]:
    """The host's ports that lead into the container now."""
    return {(mapping.host_port, mapping.protocol) for mapping in published(row)}


def _private(row: ContainerRow) -> set[Port]:
    """The container's ports that are published or said to be used, while it runs."""
    if not row.status.pid:
        return set()
    exposed = ports.parse_exposed(row.record["network"]["exposed"])
    return {*exposed, *((mapping.container_port, mapping.protocol) for mapping in published(row))}


_MAKERS: dict[str, Callable[[Store, list[str]], Test]] = {
    "ancestor": _ancestors,
    "before": _before,
    "exited": _exited,
    "health": _healths,
    "id": _ids,
    "is-task": _tasks,
    "isolation": _isolation,
    "label": _labels,
    "name": _names,
    "network": _networks,
    "pod": _pods,
    "since": _since,
    "status": _states,
    "volume": _volumes,
}
FILTERS = tuple(sorted((*_MAKERS, "expose", "publish")))
