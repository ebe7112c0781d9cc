"""`bootstrap`: what can go wrong before the network is needed, and busybox, which needs none."""

from __future__ import annotations

import pytest

from rootless.errors import InvalidInput
from rootless.image import platforms
from rootless.image.bootstrap import distributions
from tests.harness.account import User
from tests.harness.command import Rootless
from tests.need import need_program


@pytest.mark.own_store
def test_busybox(rootless: Rootless) -> None:
    need_program("busybox")
    rootless("bootstrap", "busybox")
    first = rootless("images", "-q", "--no-trunc").stdout
    rootless("rmi", "busybox")
    rootless("bootstrap", "busybox")
    assert rootless("images", "-q", "--no-trunc").stdout == first, "the same host gives the same image"
    assert rootless("run", "--rm", "--network", "none", "busybox", "echo", "hi").stdout == "hi\n"


@pytest.mark.own_store
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gentoo"], "cannot bootstrap"),
        (["debian:book worm"], "invalid reference format"),
        (["--variant", "huge", "debian"], "unknown variant"),
        (["--include", "a;b", "debian"], "no name of a package"),
        (["--mirror", "nowhere", "debian"], "no mirror"),
        (
            ["--mirror", "http://127.0.0.1:1/debian", "debian:bookworm"],
            "cannot reach http://127.0.0.1:1/debian",
        ),
    ],
)
def test_refused(rootless: Rootless, words: list[str], says: str) -> None:
    need_program("mmdebstrap")
    refused = rootless("bootstrap", *words, status=None)
    assert refused.status != 0
    assert says in refused.stderr


@pytest.mark.own_store
@pytest.mark.parametrize(
    "sources", ["", "deb [signed-by=/x] https://deb.example/debian-security stable main\ndeb-src http://x/debian a main\n"]
)
def test_a_host_whose_sources_name_no_mirror(rootless: Rootless, user: User, sources: str) -> None:
    """/etc/apt is an empty one here, or of a host with other sources: nothing is guessed."""
    need_program("mmdebstrap")
    script = 'mount -t tmpfs none /etc/apt && printf "$1" >/etc/apt/sources.list && shift && exec "$@"'
    command = [*rootless.argv, "bootstrap", "debian:bookworm"]
    done = user.run(["unshare", "-Urm", "sh", "-c", script, "sh", sources, *command], env=rootless.environment)
    assert done.returncode == 1
    assert "this host's apt sources name no Debian mirror" in done.stderr
    assert "hint: name one near you: --mirror URL" in done.stderr
    assert rootless("images", "-q").stdout == ""


@pytest.mark.parametrize(
    ("text", "suite", "tag"),
    [
        ("debian", "stable", "latest"),
        ("debian:12", "bookworm", "12"),
        ("debian:bookworm-slim", "bookworm", "bookworm-slim"),
        ("ubuntu:24.04", "noble", "24.04"),
        ("devuan:daedalus", "daedalus", "daedalus"),
        ("debian:newer", "newer", "newer"),
    ],
)
def test_names(text: str, suite: str, tag: str) -> None:
    assert distributions.parse_name(text)[1:] == (suite, tag)


def test_names_refused() -> None:
    for text in ("", "arch", "debian:../x", "debian:a b", "debian:-x"):
        with pytest.raises(InvalidInput):
            distributions.parse_name(text)


def test_an_explicit_mirror_is_used_alone() -> None:
    found = distributions.describe(
        "debian:bookworm", platforms.parse("amd64"), mirror="http://x/debian", components="main,contrib"
    )
    assert found.sources == ("deb http://x/debian bookworm main contrib",)
