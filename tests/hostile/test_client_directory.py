"""A config.json that somebody else wrote: `--config` of a directory that came with a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless


@pytest.mark.parametrize("value", ["\\ud800", "x\\udc00y", "\\u0000"])
def test_values_that_no_record_can_keep(rootless: Rootless, busybox_image: str, tmp_path: Path, value: str) -> None:
    """A half of a surrogate pair once made a container whose configuration could not be read again."""
    proxies = f'{{"default":{{"httpProxy":"{value}"}}}}'
    (tmp_path / "config.json").write_text(f'{{"proxies":{proxies},"psFormat":"{value}{{{{.Names}}}}"}}')
    rootless("--config", tmp_path, "create", "--name", "box", busybox_image, "true")
    assert rootless("inspect", "-f", "{{.Name}}", "box").lines == ["/box"]
    rootless("start", "-a", "box")
    rootless("--config", tmp_path, "ps", "-a")
    rootless("rm", "box")


@pytest.mark.own_store
def test_names_of_a_megabyte_in_errors(rootless: Rootless) -> None:
    archive = images.docker_archive("A" * (1 << 20), [images.busybox_layer(images.static_busybox())], {})
    done = rootless("load", stdin=archive, status=1)
    assert done.stderr.startswith("rootless: invalid reference format")
    assert len(done.stderr) < 20_000
