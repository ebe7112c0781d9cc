"""Every key of a service with values of every kind: a request for a container, or an error of ours; never anything else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import yaml

from rootless.compose import disk
from rootless.compose.converge.service_request import Place, service_request
from rootless.compose.load.render import to_json, to_yaml
from rootless.compose.plan.observed import Observed
from rootless.compose.plan.service_hash import service_hash
from rootless.compose.plan.unsupported import refuse
from rootless.compose.plan.up import Asked, plan_up
from rootless.errors import RootlessError
from rootless.storage.images import Image
from tests.compose.load.loading import project

KEYS = sorted(disk.schema()["definitions"]["service"]["properties"])
WORDS: tuple[Any, ...] = (
    "x", "a:b:c", "/a:/b:ro", "80:80", "", "-1", "1g", "service:db", "host", "a=b", "1-70000", "9" * 400 + "g", "a'b", "inf", "[::1]:80:80",
    "99999999999999999999", "..", "\x1b[31m", "1m30s", "always",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    *WORDS, 0, 1, 10**30, 1.5, float("inf"), True, False, None, [], {}, [[]], [{}], {"a": {}}, {"a": None}, {"": "x"},
    *([word] for word in WORDS[:12]), *({"a": word} for word in WORDS[:8]), {"a=b": "c"}, ["a", "a"], [None], [1],
)  # fmt: skip
IMAGE = Image("sha256:" + "0" * 64, (), (), {"config": {"Cmd": ["x"]}}, {}, 0)


REFUSED = {
    "credential_spec", "gpus", "models", "pre_start", "provider", "develop", "blkio_config", "extends", "configs", "pre_stop", "post_start",
}  # fmt: skip
"""No simple value makes a container of these: they are refused, or need more than one word."""


def text_of(key: str, value: Any) -> str:
    """A file in which the service has the value; its resources are there as far as a name can be guessed."""
    names = ("a", "x", "1", "80")
    return str(yaml.safe_dump({
        "services": {"web": {"image": "busybox", key: value}, "db": {"image": "busybox"}},
        "networks": dict.fromkeys(names), "volumes": dict.fromkeys(names),
        "secrets": {name: {"environment": "E"} for name in names}, "configs": {name: {"content": "x"} for name in names},
    }, allow_unicode=True))  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_a_request_or_an_error(key: str) -> None:
    made = 0
    for value in VALUES:
        try:
            found = project(text_of(key, value))
            if "web" not in found.services:
                continue  # its profile is not active
            refuse(found)
            service_hash(found, found.services["web"])
            to_yaml(found)
            to_json(found)
            plan_up(found, Observed(images={"busybox": IMAGE.id}), Asked())
            service_request(found, "web", IMAGE, Place("p-web-1", 1, {"db": "0" * 64}))
            made += 1
        except RootlessError:
            continue
    assert made or key in REFUSED | {"profiles"}, f"no value of {key} makes a container"


def test_what_would_take_for_ever_is_refused() -> None:
    """Work that a short file asks for: ranges of ports, chains, lists held against themselves, keys of megabytes."""
    services = {f"s{number}": {"image": "x", "depends_on": [f"s{number + 1}"]} for number in range(2000)}
    bombs = [
        yaml.safe_dump({"services": {f"s{number}": {"image": "x", "ports": ["1-65535"]} for number in range(1000)}}),
        yaml.safe_dump({"services": {**services, "s2000": {"image": "x"}}}),
        yaml.safe_dump({"services": {"a": {"image": "x", "cap_add": [f"C{number // 2}" for number in range(50_000)]}}}),
        yaml.safe_dump({"services": {"a": {"image": "x", "k" * 1_000_000: 1}}}),
        yaml.safe_dump({"services": {"a": {"image": "x", "scale": 10**12}}}),
        yaml.safe_dump({"services": {f"s{number}": {"extends": f"s{number + 1}"} for number in range(900)}}),
        'services: {a: {image: "a\\0b"}}',
    ]
    for text in bombs:
        with pytest.raises(RootlessError):
            project(text)


def test_includes_have_a_depth() -> None:
    files = {f"/p/{number}.yml": f"include: [{number + 1}.yml]\n" for number in range(1200)}
    with pytest.raises(RootlessError, match="include one another"):
        project("include: [0.yml]\n", files=files)
    wide = {f"/p/{number}.yml": "".join(f"include: [{', '.join([f'{number + 1}.yml'] * 10)}]\n") for number in range(5)}
    with pytest.raises(RootlessError):
        project("include: [0.yml]\n", files=wide)


def test_keys_are_all_known() -> None:
    """A key of a newer specification is no key here, until somebody has looked at it."""
    assert len(KEYS) == len(set(itertools.chain(KEYS)))
    assert {"pre_start", "develop", "pull_refresh_after", "use_api_socket"} <= set(KEYS)
