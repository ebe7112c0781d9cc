"""`pod ps --filter`: Podman's keys and their meaning. Words of one key are alternatives, except labels; all keys have to pass."""

from __future__ import annotations

import re
from collections.abc import Callable

from rootless.engine.options import clock
from rootless.engine.options.patterns import has_labels
from rootless.engine.state.pods import STATUSES, Pod
from rootless.engine.views.pod import networks
from rootless.errors import InvalidInput
from rootless.storage.store import Store

Test = Callable[[Store, Pod], bool]
_CONTAINER_STATES = ("created", "running", "paused", "stopped", "exited", "unknown", "restarting", "removing")


def tests(filters: dict[str, list[str]]) -> list[Test]:
    """What a pod has to pass. InvalidInput for a value that no pod could have."""
    return [_MAKERS[key](words) for key, words in filters.items()]


def _matchers(key: str, words: list[str]) -> list[re.Pattern[str]]:
    try:
        return [re.compile(word) for word in words]
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidInput(f"invalid filter '{key}={words[-1]}': {error}", hint="a regular expression") from None


def _ids(words: list[str]) -> Test:
    matchers = _matchers("id", words)
    return lambda store, pod: any(matcher.match(pod.id) for matcher in matchers)


def _names(words: list[str]) -> Test:
    matchers = _matchers("name", words)
    return lambda store, pod: any(matcher.search(pod.name) for matcher in matchers)


def _container_ids(words: list[str]) -> Test:
    matchers = _matchers("ctr-ids", words)
    return lambda store, pod: any(matcher.match(member.id) for matcher in matchers for member in pod.members)


def _container_names(words: list[str]) -> Test:
    matchers = _matchers("ctr-names", words)
    return lambda store, pod: any(matcher.search(member.name) for matcher in matchers for member in pod.members)


def _container_number(words: list[str]) -> Test:
    try:
        numbers = {int(word) for word in words}
    except ValueError:
        raise InvalidInput(f"invalid filter 'ctr-number={words[-1]}'", hint="a number, as ctr-number=2") from None
    return lambda store, pod: len(pod.members) in numbers


def _container_status(words: list[str]) -> Test:
    for word in words:
        if word not in _CONTAINER_STATES:
            raise InvalidInput(f"{word} is not a valid status", hint="one of " + ", ".join(_CONTAINER_STATES))
    wanted = {"exited" if word == "stopped" else word for word in words}
    return lambda store, pod: any(member.state in wanted for member in pod.members)


def _labels(words: list[str]) -> Test:
    return lambda store, pod: pod.config is not None and has_labels(pod.config["labels"], words)


def _no_labels(words: list[str]) -> Test:
    return lambda store, pod: pod.config is not None and not has_labels(pod.config["labels"], words)


def _networks(words: list[str]) -> Test:
    return lambda store, pod: bool(set(networks(store, pod)) & set(words))


def _statuses(words: list[str]) -> Test:
    known = [status.lower() for status in STATUSES]
    for word in words:
        if word.lower() not in known:
            raise InvalidInput(f"{word} is not a valid pod status", hint="one of " + ", ".join(known))
    wanted = {word.lower() for word in words}
    return lambda store, pod: pod.status.lower() in wanted


def _until(words: list[str]) -> Test:
    moment = min(clock.parse_moment(word) for word in words)
    return lambda store, pod: pod.config is not None and clock.to_nanoseconds(pod.config["created_at"]) < moment


_MAKERS: dict[str, Callable[[list[str]], Test]] = {
    "ctr-ids": _container_ids,
    "ctr-names": _container_names,
    "ctr-number": _container_number,
    "ctr-status": _container_status,
    "id": _ids,
    "label": _labels,
    "label!": _no_labels,
    "name": _names,
    "network": _networks,
    "status": _statuses,
    "until": _until,
}
FILTERS = tuple(_MAKERS)
