"""Docker's words as scripts use them: the network's name, what has no effect, directories that are made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.harness.command import Rootless

ADDRESS = ("ip", "-o", "-4", "addr", "show", "eth0")


@pytest.mark.parametrize("word", ["bridge", "default", "name=bridge"])
def test_the_default_network_by_name(rootless: Rootless, busybox_image: str, word: str) -> None:
    assert "inet 172." in rootless("run", "--rm", "--network", word, busybox_image, *ADDRESS).stdout


def test_a_container_is_found_by_its_network(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "one", busybox_image)
    rootless("create", "--name", "two", "--net", "bridge", busybox_image)
    rootless("create", "--name", "three", "--network", "none", busybox_image)
    listed = rootless("ps", "-a", "--filter", "network=bridge", "--format", "{{.Names}}").lines
    assert sorted(listed) == ["one", "two"]
    mode = "{{.HostConfig.NetworkMode}}"
    assert rootless("inspect", "-f", mode, "one", "two", "three").lines == ["bridge", "bridge", "none"]
    rootless("rm", "one", "two", "three")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nosuch", "network nosuch not found"),
        ("name=nosuch", "network nosuch not found"),
        ("name=bridge,alias=web", "network-scoped aliases are only supported for user-defined networks"),
        ("name=bridge,ip=10.0.0.3", "user-specified IP address is supported on user-defined networks only"),
        ("name=slirp4netns,mac-address=02:42:00:00:00:01", "--mac-address is not supported on slirp4netns: "),
        ("name=app,link-local-ip=169.254.0.3", "--network link-local-ip= is not supported: "),
        ("name=app,alias=a b", "invalid network alias 'a b'"),
        ("name=app,ip=fd00::1", "invalid IPv4 address: fd00::1"),
        ("name=app,mac-address=02:42", "02:42 is not a valid mac address"),
        ("name=app,mac-address=01:42:00:00:00:01", "01:42:00:00:00:01 is not a valid mac address"),
        ("name=app,gw-priority=x", "invalid gw-priority: x"),
        ("name=app,driver-opt=x", "invalid key value pair format in driver options"),
        ("alias=web", "network name/id is not specified"),
        ("name=bridge,name", "invalid field name: must be a key=value pair"),
        ("nom=bridge", "invalid field key nom"),
        ("host:x", "network host:x not found"),
    ],
)
def test_a_network_that_there_is_not(rootless: Rootless, busybox_image: str, word: str, message: str) -> None:
    refused = rootless("create", "--network", word, busybox_image, status=125)
    assert refused.stderr.startswith(f"rootless: {message}")
    assert "hint:" in refused.stderr or "key=value" in message


def test_two_networks_are_one_too_many(rootless: Rootless, busybox_image: str) -> None:
    two = ("--network", "none", "--network", "bridge")
    assert "a container has one network" in rootless("create", *two, busybox_image, status=125).stderr
    rootless("run", "--rm", "--network", "none", "--net", "name=none", busybox_image, "true")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--network a --network host", "conflicting options: cannot attach both user-defined and non-user-defined network-modes"),
        ("--network a --network a", 'network "a" is specified multiple times'),
        ("--network name=a,alias=x --network-alias y", "conflicting options: cannot specify both --network-alias and per-network alias"),
        ("--network name=a,ip=10.0.0.1 --ip 10.0.0.2", "conflicting options: cannot specify both --ip and per-network IPv4 address"),
        ("--network-alias x", "network-scoped aliases are only supported for user-defined networks"),
        ("--ip 10.0.0.2", "user-specified IP address is supported on user-defined networks only"),
        ("--network a --link x:y:z", "bad format for links: x:y:z"),
        ("--network a --ip 1.2.3", "invalid IPv4 address: 1.2.3"),
        ("--network a --net-alias .", "invalid network alias '.'"),
    ],
)  # fmt: skip
def test_networks_in_dockers_words(rootless: Rootless, busybox_image: str, words: str, message: str) -> None:
    assert rootless("create", *words.split(), busybox_image, status=125).stderr.startswith(f"rootless: {message}\n")


@pytest.mark.parametrize("network", ["host", "none"])
def test_ports_where_there_is_nothing_to_publish(
    rootless: Rootless, busybox_image: str, network: str
) -> None:
    words = ("--rm", "-p", "18080:80", "--network", network, busybox_image, "echo", "ran")
    done = rootless("run", *words, warns=True)
    assert done.stdout == "ran\n"
    assert done.stderr == f"rootless: Published ports are discarded when using {network} network mode\n"


def test_ports_belong_to_the_container_whose_network_it_is(rootless: Rootless, busybox_image: str) -> None:
    refused = rootless("create", "-P", "--network", "container:x", busybox_image, status=125)
    assert "port publishing and the container type network mode" in refused.stderr


def test_harmless_options_change_nothing(rootless: Rootless, busybox_image: str) -> None:
    words = "--runtime=runc --isolation=default --volume-driver=local --disable-content-trust".split()
    assert rootless("run", "--rm", *words, busybox_image, "echo", "ran").stdout == "ran\n"


def test_a_daemon_that_others_use_is_nothing_to_us(rootless: Rootless, busybox_image: str) -> None:
    others = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_CONTEXT": "elsewhere", "DOCKER_TLS_VERIFY": "1"}
    assert rootless("run", "--rm", busybox_image, "echo", "ran", env=others).stdout == "ran\n"


def test_a_missing_directory_of_v_is_made(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    source = tmp_path / "not/there"
    rootless("create", "--name", "box", "-v", f"{source}:/d", busybox_image, "touch", "/d/f")
    assert not source.exists()  # as with Docker, the start makes it
    for _ in range(2):
        rootless("start", "-a", "box")
        status = (source / "f").stat()
        assert (status.st_uid, source.stat().st_uid) == (os.getuid(), os.getuid())
        shutil.rmtree(tmp_path / "not")
    rootless("rm", "box")


def test_mount_is_strict_unless_asked(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    source = tmp_path / "there"
    word = f"type=bind,src={source},dst=/d"
    refused = rootless("run", "--rm", "--mount", word, busybox_image, status=125)
    assert f"bind source path does not exist: {source}\n" in refused.stderr
    assert not source.exists()
    rootless("run", "--rm", "--mount", word + ",bind-create-src", busybox_image, "touch", "/d/f")
    assert (source / "f").exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/proc/no/such", "/proc is not writable for you"),
        ("/etc/passwd/x", "/etc/passwd is not a directory"),
        ("/usr/lib/not-there", "/usr/lib is not writable for you"),
        ("LINK", "it is a symbolic link that leads nowhere"),
    ],
)
def test_a_directory_that_cannot_be_made(
    rootless: Rootless, busybox_image: str, tmp_path: Path, path: str, reason: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    path = path.replace("LINK", str(tmp_path / "link"))
    refused = rootless("run", "--name", "box", "-v", f"{path}:/d", busybox_image, status=125)
    assert f"error while creating mount source path '{path}': {reason}\n" in refused.stderr
    assert rootless("ps", "-aq").stdout == ""


def test_details_of_a_log(rootless: Rootless, busybox_image: str) -> None:
    words = [
        "--label",
        "a=b c",
        "-e",
        "X=1",
        "--log-opt",
        "labels=a",
        "--log-opt",
        "env=X",
        "--log-opt",
        "mode=non-blocking",
    ]
    rootless("run", "--name", "box", *words, busybox_image, "echo", "hello")
    assert rootless("logs", "--details", "box").stdout == "X=1,a=b+c hello\n"
    rootless("rm", "box")


def test_options_behind_the_image(rootless: Rootless, busybox_image: str) -> None:
    said = rootless("run", "--rm", busybox_image, "-it", "sh", status=127).stderr
    assert said.endswith(f"\nhint: options come before the image: rootless run -it {busybox_image} ...\n")
    assert "hint" not in rootless("run", "--rm", busybox_image, "nosuch", status=127).stderr


def test_a_tag_that_is_missing(rootless: Rootless, busybox_image: str) -> None:
    missing = rootless("run", "--pull", "never", "busybox:1.99", status=125).stderr
    assert "\nhint: you have busybox:latest\n" in missing
    assert "you have" not in rootless("run", "--pull", "never", "nosuch", status=125).stderr
    for name in ("busybox:nope", "127.0.0.1:1/x/busybox"):
        unreachable = rootless("run", name, status=125).stderr
        assert "\nhint: you have busybox:latest\n" in unreachable
