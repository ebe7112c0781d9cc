"""Docker's config.json and variables, as those have them who come from there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.terminal import Terminal


def configured(directory: Path, **document: Any) -> str:
    """The directory with a config.json of that content."""
    (directory / "config.json").write_text(json.dumps(document))
    return str(directory)


PROXIES = {"default": {"httpProxy": "http://p:1", "noProxy": "localhost"}, "tcp://far:1": {"httpProxy": "http://far"}}


def test_proxies_reach_new_containers(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    directory = configured(tmp_path, proxies=PROXIES)

    def environment(*words: str, **env: str) -> set[str]:
        done = rootless("--config", directory, "run", "--rm", *words, busybox_image, "env", env=env)
        return {line for line in done.lines if "proxy" in line.lower()}

    usual = {"HTTP_PROXY=http://p:1", "http_proxy=http://p:1", "NO_PROXY=localhost", "no_proxy=localhost"}
    assert environment() == usual
    assert environment("-e", "HTTP_PROXY=mine") == usual - {"HTTP_PROXY=http://p:1"} | {"HTTP_PROXY=mine"}
    assert environment(DOCKER_HOST="tcp://far:1") == {"HTTP_PROXY=http://far", "http_proxy=http://far"}
    by_variable = rootless("run", "--rm", busybox_image, "env", env={"DOCKER_CONFIG": directory})
    assert "http_proxy=http://p:1" in by_variable.lines


@pytest.mark.own_store
def test_formats_of_listings(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    stored = {"psFormat": "P {{.Names}}", "imagesFormat": "I {{.Repository}}", "volumesFormat": "V {{.Name}}"}
    config = ("--config", configured(tmp_path, **stored, HttpHeaders={"X": "y"}, statsFormat="S {{.Name}}"))
    rootless("create", "--name", "box", busybox_image)
    rootless("volume", "create", "vol")
    assert rootless(*config, "ps", "-a").stdout == "P box\n"
    assert rootless(*config, "ps", "-a", "--format", "{{.Names}}").stdout == "box\n"
    assert len(rootless(*config, "ps", "-aq").stdout) == 13
    assert set(rootless(*config, "images").lines) <= {"I busybox", "I debian"}
    assert rootless(*config, "volume", "ls").stdout == "V vol\n"
    assert rootless(*config, "stats", "--no-stream", "-a").stdout == "S box\n"
    rootless("rm", "box")
    rootless("volume", "rm", "vol")


@pytest.mark.parametrize("text", ["{", "[]", "\\xff", "[" * 5000])
def test_a_file_that_is_no_configuration(rootless: Rootless, tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    said = rootless("--config", tmp_path, "ps", warns=True).stderr
    assert said == f"rootless: cannot read {tmp_path}/config.json: it is no JSON object, and not used\n"


def test_values_of_another_kind_are_not_used(rootless: Rootless, tmp_path: Path) -> None:
    directory = configured(tmp_path, proxies={"default": {"httpProxy": 1}}, psFormat=["x"], detachKeys={})
    assert rootless("--config", directory, "ps").stdout.startswith("CONTAINER ID")


def test_keys_for_detaching(terminal: Any, rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    directory = configured(tmp_path, detachKeys="ctrl-x,q")
    person: Terminal = terminal("--config", directory, "run", "-it", "--name", "box", busybox_image, "cat")
    person.line("hello")
    person.expect("hello")
    person.send("\x18q")
    assert person.wait() == 0
    assert rootless("inspect", "-f", "{{.State.Running}}", "box").stdout == "true\n"
    rootless("rm", "-f", "box")


def test_the_platform_that_is_the_default(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    other = {"DOCKER_DEFAULT_PLATFORM": "linux/s390x"}
    refused = rootless("create", "--pull", "never", busybox_image, status=125, env=other)
    assert "does not provide the specified platform (linux/s390x)" in refused.stderr
    (tmp_path / "empty.tar").write_bytes(bytes(10240))
    made = rootless("import", tmp_path / "empty.tar", env=other).stdout.strip()
    assert rootless("image", "inspect", "-f", "{{.Architecture}}", made).stdout == "s390x\n"
    rootless("rmi", made)
