"""What somebody meets who runs a container for the first time: hints, and names that are free again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.terminal import Terminal

NO_NETWORK = ("--network", "none")


def test_what_this_machine_cannot_give_leaves_the_name_free(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    words = ("run", "--name", "mine", "--cidfile", tmp_path / "id", *NO_NETWORK)
    rootless(*words, "--ulimit", "nofile=99999999:99999999", busybox_image, "true", status=125)
    assert rootless("ps", "-aq").stdout == ""
    rootless(*words, busybox_image, "true")
    rootless("rm", "mine")


def test_as_docker_a_command_that_is_not_there_leaves_its_container(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "--name", "mine", *NO_NETWORK, busybox_image, "nonsense", status=127)
    assert rootless("ps", "-a", "--format", "{{.Status}}").stdout == "Created\n"
    rootless("rm", "mine")


def test_options_after_the_image(rootless: Rootless, busybox_image: str) -> None:
    said = rootless("run", "--rm", *NO_NETWORK, busybox_image, "-it", "sh", status=127).stderr
    assert f"options come before the image: rootless run -it {busybox_image} ..." in said


def test_another_tag_is_there(rootless: Rootless, busybox_image: str) -> None:
    said = rootless("run", "--rm", "--pull", "never", "busybox:9", "true", status=125).stderr
    assert said.count("you have busybox:latest") == 1


def test_the_same_name_for_another_machine_is_there(rootless: Rootless, busybox_image: str) -> None:
    """It was told as if `--platform` had not been asked for: "you have busybox:latest"."""
    rootless("tag", busybox_image, "127.0.0.1:1/busybox:1")
    said = rootless("run", "--rm", "--platform", "linux/s390x", "127.0.0.1:1/busybox:1", "true", status=125).stderr
    assert "\nhint: the 127.0.0.1:1/busybox:1 that you have is for linux/" in said
    rootless("rmi", "127.0.0.1:1/busybox:1")


def test_forced_removal_of_nothing_is_told(rootless: Rootless) -> None:
    done = rootless("rm", "-f", "nosuch")
    assert (done.stdout, done.stderr) == ("", "rootless: No such container: nosuch\n")


@pytest.mark.parametrize(("options", "told"), [(("-u", "1000"), True), (("-u", "0"), False), ((), False)])
def test_a_directory_that_another_user_cannot_write(
    busybox_image: str, terminal: Callable[..., Terminal], tmp_path: Path, options: tuple[str, ...], told: bool
) -> None:
    shown = terminal("run", "--rm", *NO_NETWORK, *options, "-v", f"{tmp_path}:/w", busybox_image, "echo", "ready")
    shown.expect("ready")
    assert shown.wait() == 0
    assert ("belongs to you" in shown.screen) == told


def test_completion_offers_what_fits(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "up", *NO_NETWORK, busybox_image, "sleep", "1000")
    rootless("create", "--name", "new", *NO_NETWORK, busybox_image, "true")

    def offered(words: str) -> list[str]:
        environment = {"_ROOTLESS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
        return [line.partition(",")[2] for line in rootless(env=environment).lines]

    assert offered("rootless stop ") == ["up"]
    assert offered("rootless exec ") == ["up"]
    assert offered("rootless start ") == ["new"]
    assert offered("rootless rm ") == ["new", "up"]
    rootless("rm", "-f", "up", "new")
