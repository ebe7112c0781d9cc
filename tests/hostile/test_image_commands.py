"""Commands of an image that cannot be run: the error is the image's, with Docker's status."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import images
from tests.harness.command import Rootless


@pytest.mark.own_store
@pytest.mark.parametrize(
    "config",
    [{"Cmd": ["/none"]}, {"Cmd": [""]}, {"Entrypoint": ["", "sh"]}, {"Cmd": ["-x"]}, {"Cmd": ["sh"], "Env": ["PATH="]}],
    ids=str,
)
def test_a_command_that_is_not_there(rootless: Rootless, config: dict[str, Any]) -> None:
    """The hint about options of `run` looked at the first word of the caller's command, where there may be none."""
    rootless("load", "-q", stdin=images.docker_archive("evil:1", [images.busybox_layer(images.static_busybox())], config))
    for words in (("run", "--rm", "evil:1"), ("run", "-d", "--name", "box", "evil:1")):
        done = rootless(*words, status=127)
        assert "executable file not found" in done.stderr or "no such file" in done.stderr, done.stderr
        assert "internal error" not in done.stderr
    rootless("rm", "box")
