"""What docs/kubernetes.md says of config.toml is what the tests have written to theirs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cri.config import Config

PAGE = Path(__file__).parents[2] / "docs/kubernetes.md"


def holds(shown: dict[str, Any], written: dict[str, Any]) -> bool:
    """Whether all that is shown is in what was written."""
    return all(
        holds(value, written.get(key, {})) if isinstance(value, dict) else (key, value) in written.items() for key, value in shown.items()
    )


@pytest.mark.parametrize("version", [2, 3])
def test_the_page(version: int) -> None:
    blocks = [tomllib.loads(text) for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    (shown,) = [block for block in blocks if block["version"] == version]
    place = Path("/nowhere")
    config = Config(
        version=version, data=place, socket=place, snapshotter="native", handlers={"rootless-oci": "/path/to/rootless-oci"},
        user=True, limits=False, systemd_cgroup=False,
    )  # fmt: skip
    assert len(shown["plugins"]) == 1
    assert holds(shown, tomllib.loads(config.text()))
