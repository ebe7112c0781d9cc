"""A pasta that is not there, is old or dies; and what it may be told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless import paths
from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.network.uplink.pasta import options as pasta_options
from tests.network.asking import descriptors
from tests.network.conftest import Namespace
from tests.network.pasta_started import Connect, connecting


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    with connecting(tmp_path) as made:
        yield made


def test_no_pasta(namespace: Namespace, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "_PROGRAM_PLACES", ())
    with pytest.raises(NotSupported, match="no network: pasta was not found on PATH") as caught:
        connect(namespace)
    assert caught.value.hint is not None
    assert "apt install passt" in caught.value.hint


def stand_in(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pasta of ours: what an old or a broken one would do."""
    program = directory / "pasta"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def test_one_that_dies_leaves_its_last_words(
    namespace: Namespace, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "echo 'Failed to send 51 bytes to syslog' >&2; echo 'the cause' >&2; exit 1\n", monkeypatch)
    before = descriptors()
    with pytest.raises(RootlessError, match=r"^pasta failed: the cause$"):
        connect(namespace)
    assert descriptors() == before


def test_an_old_one_connects_and_publishes_nothing(
    namespace: Namespace, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses the option that a new one has, and does what it is told in the words that it knows."""
    stand_in(
        tmp_path,
        'for word; do case "$word" in --map-host-loopback=*)\n'
        "  echo \"pasta: unrecognized option '$word'\" >&2; exit 1;; esac; done\n"
        'for word; do case "$before" in --pid) echo $$ >"$word";; esac; before=$word; done; exec sleep 1000\n',
        monkeypatch,
    )
    assert connect(namespace)["warnings"] == []
    before = descriptors()
    with pytest.raises(NotSupported, match="ports cannot be published: this pasta is older than August 2024"):
        connect(namespace, ports=["5331:80"])
    assert descriptors() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--tcp-ports", "all"], "unknown pasta option: --tcp-ports"),
        (["-m"], "pasta option -m needs a value"),
        (["-m", "70000"], "invalid mtu: 70000"),
        (["--interface=--stderr"], "invalid interface of pasta: --stderr"),
        (["speed=host"], "unknown pasta option: speed=host"),
    ],
)
def test_options_that_make_no_sense(words: list[str], says: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{says}$"):
        pasta_options.parse(words)


def test_options_in_both_forms() -> None:
    given = pasta_options.parse(["--mtu=1400", "-i", "eth1", "-4", "--map-gw", "-o", "192.0.2.1"])
    assert given == (1400, "eth1", "192.0.2.1", True, True)
