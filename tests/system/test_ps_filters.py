"""`ps --filter`, with the meaning that moby's list gives each key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.command import Rootless


@pytest.fixture
def two(rootless: Rootless, busybox_image: str) -> Iterator[Rootless]:
    """`web` runs and publishes 18099 to 80; `job` of a second name of the image has ended with 3."""
    rootless("tag", busybox_image, "localhost:5000/a/b:v1")
    rootless("run", "-d", "--name", "web", "--label", "a=1", "-p", "18099:80", "--expose", "53/udp",
             "busybox", "sleep", "1000")  # fmt: skip
    rootless("run", "--name", "job", "--network", "none", "-v", "data:/d", "localhost:5000/a/b:v1",
             "sh", "-c", "exit 3", status=3)  # fmt: skip
    yield rootless
    rootless("rm", "-f", "web", "job")
    rootless("volume", "rm", "data")
    rootless("rmi", "localhost:5000/a/b:v1")


def names(rootless: Rootless, *filters: str) -> set[str]:
    words = [word for each in filters for word in ("--filter", each)]
    return set(rootless("ps", "-a", "--format", "{{.Names}}", *words).lines)


BOTH = {"web", "job"}


def test_filters(two: Rootless) -> None:
    identifier = two("image", "inspect", "-f", "{{.Id}}", "busybox").stdout.strip()
    digest = two("image", "inspect", "-f", "{{index .RepoDigests 0}}", "busybox").stdout.strip()
    for word in ("busybox", "busybox:latest", "docker.io/library/busybox", "localhost:5000/a/b:v1", identifier,
                 identifier[7:19], digest):  # fmt: skip
        assert names(two, f"ancestor={word}") == BOTH, word
    for filters, found in {
        ("ancestor=nosuch",): set(),
        ("ancestor=nosuch", "ancestor=busybox"): BOTH,
        ("publish=18099",): {"web"},
        ("publish=18000-18100",): {"web"},
        ("publish=18099/tcp",): {"web"},
        ("publish=18099/udp",): set(),
        ("publish=80",): set(),
        ("expose=80",): {"web"},
        ("expose=50-60/udp",): {"web"},
        ("expose=53",): set(),
        ("expose=443", "publish=18099"): {"web"},
        ("name=^we",): {"web"},
        ("name=^/web$",): {"web"},
        ("name=b",): BOTH,
        ("id=x",): set(),
        ("label=a=1",): {"web"},
        ("status=exited",): {"job"},
        ("exited=3",): {"job"},
        ("exited=0",): set(),
        ("is-task=false",): BOTH,
        ("is-task=true",): set(),
        ("isolation=default",): BOTH,
        ("network=bridge",): {"web"},
        ("network=none",): {"job"},
        ("volume=data",): {"job"},
        ("volume=/d",): {"job"},
        ("health=none",): BOTH,
        ("before=job",): {"web"},
        ("since=web",): {"job"},
    }.items():
        assert names(two, *filters) == found, filters


@pytest.mark.parametrize(
    "word",
    ["nosuch=1", "status=up", "health=good", "exited=x", "is-task=x", "publish=a", "publish=9-3", "publish=1:2",
     "publish=70000", "expose=1/icmp", "name=["],
)  # fmt: skip
def test_what_is_no_filter(rootless: Rootless, word: str) -> None:
    assert f"invalid filter '{word.partition('=')[0]}" in rootless("ps", "--filter", word, status=1).stderr


def test_size_tells_what_the_image_takes(two: Rootless) -> None:
    written, _, whole = two("ps", "--filter", "name=web", "--format", "{{.Size}}").stdout.partition(
        " (virtual "
    )
    assert written.endswith("B")
    assert whole.endswith("MB)\n")


def test_volumes_by_name(rootless: Rootless) -> None:
    for name in ("data", "data2", "other"):
        rootless("volume", "create", name)
    assert rootless("volume", "ls", "-q", "--filter", "name=^data$").lines == ["data"]
    assert rootless("volume", "ls", "-q", "--filter", "name=dat.").lines == ["data", "data2"]
    assert "invalid filter 'name=['" in rootless("volume", "ls", "--filter", "name=[", status=1).stderr
