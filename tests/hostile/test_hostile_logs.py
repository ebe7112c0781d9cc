"""Logs as a hostile container has them written: what it says is text, and costs no more than text."""

from __future__ import annotations

import pytest

from tests.harness.command import Rootless


@pytest.mark.own_store
def test_a_line_of_single_bytes(rootless: Rootless, busybox_image: str) -> None:
    """A program that writes a byte at a time has a part for each in its log. Joining them once cost the square of
    their number: minutes for what took seconds to write."""
    identifier = rootless("create", "--name", "box", "--network", "none", busybox_image, "true").stdout.strip()
    log = rootless.root / "containers" / identifier / "container.log"
    log.write_bytes(b"2026-01-01T00:00:00.000000000Z stdout P x\n" * 300_000)
    for words in (("logs", "box"), ("logs", "-f", "box"), ("logs", "--until", "2030-01-01", "--tail", "1", "box")):
        assert rootless(*words, timeout=60).raw == b"x" * 300_000
    rootless("rm", "box")
