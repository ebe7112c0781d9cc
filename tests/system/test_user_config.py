"""config.toml in force: the same for the command line, for compose and for the API, and shown by `info`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rootless.cgroup import limits, subtrees
from tests.harness import account
from tests.harness.api import Service
from tests.harness.command import Rootless
from tests.need import need, without_range


class Config:
    """`config("userns = ...")` writes the file; `config.env` makes commands read it."""

    def __init__(self, home: Path) -> None:
        self.path = home / "rootless/config.toml"
        self.path.parent.mkdir()
        self.env = {"XDG_CONFIG_HOME": str(home)}

    def __call__(self, text: str) -> None:
        self.path.write_text(text)
        self.path.chmod(0o600)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A file of this test's own."""
    home = tmp_path / "config"
    home.mkdir()
    return Config(home)


def values(rootless: Rootless, config: Config, **env: str) -> dict[str, tuple[str, str]]:
    """What `info` tells of each key: value and source."""
    found = json.loads(rootless("info", "--format", "json", env={**config.env, **env}).stdout)["UserConfig"]
    assert found["Path"] == str(config.path)
    return {row["Key"]: (row["Value"], row["Source"]) for row in found["Values"]}


def test_info_says_where_each_value_comes_from(rootless: Rootless, config: Config, tmp_path: Path) -> None:
    assert values(rootless, config)["limits"] == ("error", "default")
    own = tmp_path / "mine.conf"
    own.write_text('unqualified-search-registries = ["registry.example"]\n')
    config(f'limits = "warn"\n\nregistries = "{own}"\n')
    assert values(rootless, config) == {
        "cache_days": ("30", "default"),
        "cache_max": ("off", "default"),
        "emulate_ids": ("auto", "default"),
        "limits": ("warn", f"{config.path}:1"),
        "network": ("bridge", "default"),
        "registries": (str(own), f"{config.path}:3"),
        "userns": ("private", "default"),
    }
    found = values(rootless, config, CONTAINERS_REGISTRIES_CONF="/x.conf")
    assert found["registries"] == ("/x.conf", "environment: CONTAINERS_REGISTRIES_CONF")
    said = rootless("info", env=config.env, warns=True).stdout
    assert values(rootless, config, ROOTLESS_CACHE_MAX="9G")["cache_max"] == ("9G", "environment: ROOTLESS_CACHE_MAX")
    assert f"User Config: {config.path}\n cache_days: 30 (default)\n cache_max: off (default)\n" in said
    assert f"\n emulate_ids: auto (default)\n limits: warn ({config.path}:1)\n" in said
    config('limit = "warn"\n')
    for words in (("info",), ("run", "busybox"), ("pull", "busybox")):
        assert f"{config.path}:1: unknown key 'limit'" in rootless(*words, env=config.env, status=None, warns=True).stderr
    own.unlink()
    config(f'registries = "{own}"\n')
    assert f"{config.path}:1: registries: there is no {own}" in rootless("pull", "x", env=config.env, status=1).stderr


def test_keep_id_for_who_is_not_root(rootless: Rootless, busybox_image: str, config: Config, tmp_path: Path) -> None:
    need(account.has_subordinate_ids(account.current()) or without_range(), "needs subordinate ids")
    config('userns = "keep-id-unless-root"\n')
    uid, gid = os.getuid(), os.getgid()
    tmp_path.chmod(0o755)

    def run(*words: str) -> str:
        words = ("run", "--rm", "--network", "none", "-v", f"{tmp_path}:/work", *words, "sh", "-c")
        return rootless(*words, "id -u; stat -c %u:%g /work", env=config.env, warns=True).stdout

    assert run(busybox_image).split() == ["0", "0:0"]
    assert run("--user", f"{uid}:{gid}", busybox_image).split() == [str(uid), f"{uid}:{gid}"], "what nf-core writes"
    assert run("--user", "user", "--userns", "private", busybox_image).split() == ["1000", "0:0"]
    rootless("create", "--name", "box", busybox_image)
    rootless("commit", "-c", "USER user", "box", "as-user")
    rootless("rm", "box")
    assert run("as-user").split() == [str(uid), f"{uid}:{gid}"]
    shared = rootless("run", "-d", "--name", "first", "--network", "none", "as-user", "sleep", "1000", env=config.env).stdout.strip()
    assert rootless("exec", "first", "id", "-u").stdout == f"{uid}\n"
    if without_range():  # test_keep_id_alone.py
        rootless("rm", "-f", "-t", "0", "first")
        rootless("rmi", "as-user")
        return
    joined = rootless("run", "--rm", "--network", f"container:{shared}", "as-user", "id", "-u", env=config.env)
    assert joined.stdout == "1000\n", "it has the ids of the other one"
    rootless("rm", "-f", "-t", "0", "first")
    rootless("rmi", "as-user")


def test_the_default_network(rootless: Rootless, busybox_image: str, config: Config) -> None:
    config('network = "none"\n')
    look = ("run", "--rm", "-p", "127.0.0.1::80", busybox_image, "ls", "/sys/class/net")
    done = rootless(*look, env=config.env, warns=True)
    assert done.stdout == "lo\n"
    assert "Published ports are discarded when using none network mode" in done.stderr
    assert rootless("run", "--rm", "--network", "host", busybox_image, "ls", "/sys/class/net", env=config.env).lines != ["lo"]
    config('network = "app"\n')
    assert "app" in rootless("run", "--rm", busybox_image, "true", env=config.env, status=125).stderr
    rootless("network", "create", "app")
    try:
        rootless("create", "--name", "box", "--network-alias", "web", busybox_image, env=config.env)
        found = json.loads(rootless("inspect", "box").stdout)[0]
        assert found["HostConfig"]["NetworkMode"] == "app"
        assert "web" in found["NetworkSettings"]["Networks"]["app"]["Aliases"]
        rootless("rm", "box")
        rootless("create", "--name", "box", "--network", "bridge", busybox_image, env=config.env)
        assert json.loads(rootless("inspect", "box").stdout)[0]["HostConfig"]["NetworkMode"] == "bridge"
    finally:
        rootless("rm", "-f", "box", status=None)
        rootless("network", "rm", "app")


LACKING = "cannot be enforced"


@pytest.fixture
def no_cgroup(rootless: Rootless) -> str:
    """A limit that no cgroup of this account's can hold."""
    wanted = limits.settings({"memory": {"limit": 64 << 20}})
    need(all(limits.missing(wanted, subtree.controllers) for subtree in subtrees.search().subtrees), "limits can be had here")
    return "64m"


def limits_of(rootless: Rootless, name: str) -> dict[str, Any]:
    """What `inspect` says holds each limit of a container that runs."""
    found: dict[str, Any] = json.loads(rootless("container", "inspect", name).stdout)[0]["HostConfig"]["Limits"]
    return found


def test_a_limit_that_cannot_be_had_is_said(
    rootless: Rootless, busybox_image: str, config: Config, no_cgroup: str, tmp_path: Path
) -> None:
    run = ("run", "-d", "--name", "box", "--network", "none", "-m", no_cgroup, busybox_image, "sleep", "1000")
    said = rootless(*run, env=config.env, status=125).stderr
    assert LACKING in said
    rootless("rm", "-f", "box", status=None)
    config('limits = "warn"\n')
    why = f"the container runs without ({config.path}:1: limits = \"warn\")"
    done = rootless(*run, env=config.env, warns=True)
    assert f"rootless: WARNING: --memory {LACKING}" in done.stderr
    assert why in done.stderr
    assert limits_of(rootless, "box") == {"memory": "nothing: this host cannot", "pids-limit": "user namespace (RLIMIT_NPROC)"}
    again = rootless("restart", "-t", "0", "box", env=config.env, warns=True)
    assert why in again.stderr, "each time"
    assert LACKING in rootless("update", "-m", "128m", "box", env=config.env, status=1).stderr
    rootless("rm", "-f", "-t", "0", "box")
    refused = rootless("run", "--rm", "--cgroups", "disabled", "-m", no_cgroup, busybox_image, "true", env=config.env, status=125)
    assert "--cgroups=disabled was given" in refused.stderr

    (tmp_path / "compose.yaml").write_text(
        f"services: {{web: {{image: {busybox_image}, command: [sleep, '1000'], network_mode: none, mem_limit: {no_cgroup}}}}}\n"
    )
    compose = ("compose", "-p", "limited", "-f", str(tmp_path / "compose.yaml"))
    assert why in rootless(*compose, "up", "-d", env=config.env, warns=True).stderr
    assert limits_of(rootless, "limited-web-1")["memory"] == "nothing: this host cannot"
    rootless(*compose, "down", "-t", "0", env=config.env)

    service = Service(rootless, env=config.env)
    body = {"Image": busybox_image, "Cmd": ["sleep", "1000"], "HostConfig": {"Memory": 64 << 20, "NetworkMode": "none"}}
    answer = service("POST", "/containers/create?name=api", body, status=201).json
    assert answer["Warnings"] == [f"--memory {LACKING}; {why}"]
    service("POST", "/containers/api/start", status=204)
    assert limits_of(rootless, "api")["memory"] == "nothing: this host cannot"
    assert service("GET", "/info").json["UserConfig"]["Path"] == str(config.path)
    config('userns = "what"\n')
    assert f"{config.path}:1: userns: " in service("POST", "/containers/create", body, status=400).message
    service("DELETE", "/containers/api?force=1", status=204)
    assert service.stop() == 0
