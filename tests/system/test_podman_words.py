"""Podman's words beside Docker's: --ignore, --all, --latest, exists, untag, --replace, --sort, --condition."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.need import need

WORDS = [
    ("rm", "--ignore"), ("rm", "--time"), ("rm", "--latest"), ("rm", "--all"), ("stop", "--ignore"), ("stop", "--latest"),
    ("stop", "--time"), ("kill", "--all"), ("kill", "--latest"), ("start", "--all"), ("start", "--latest"),
    ("restart", "--all"), ("restart", "--latest"), ("pause", "--all"), ("unpause", "--all"), ("volume rm", "--all"),
    ("wait", "--condition"), ("wait", "--interval"), ("wait", "--latest"), ("rmi", "--all"), ("rmi", "--ignore"),
    ("ps", "--sort"), ("ps", "--noheading"), ("images", "--sort"), ("images", "--noheading"), ("volume ls", "--noheading"),
    ("exec", "--latest"), ("attach", "--latest"), ("top", "--latest"), ("logs", "--latest"), ("inspect", "--latest"),
    ("port", "--latest"), ("diff", "--latest"), ("stats", "--latest"),
    ("run", "--replace"), ("run", "--tz"), ("run", "--rmi"), ("run", "--timeout"),
    ("create", "--replace"), ("untag", "--help"), ("container exists", "--help"),
    ("image exists", "--help"), ("volume exists", "--help"),
]  # fmt: skip


def test_they_are_podmans(rootless: Rootless, podman: Podman) -> None:
    """Podman 5 has one that Debian 12's has not."""
    for command in dict.fromkeys(command for command, _ in WORDS):
        ours, theirs = rootless(*command.split(), "--help").stdout, podman(*command.split(), "--help")
        options = {option for name, option in WORDS if name == command} - {"--help"}
        assert {option for option in options if option not in ours} == set(), command
        assert {option for option in options if option not in theirs} <= {"--ignore"}, command


def make(rootless: Rootless, image: str, *names: str) -> None:
    for name in names:
        rootless("create", "--name", name, "--network", "none", image, "sleep", "1000")


def states(rootless: Rootless) -> dict[str, str]:
    lines = rootless("ps", "-a", "--format", "{{.Names}} {{.State}}").lines
    return dict(line.split() for line in lines)


def test_all(rootless: Rootless, busybox_image: str) -> None:
    make(rootless, busybox_image, "a1", "a2", "a3")
    assert set(rootless("start", "--all").lines) == {"a1", "a2", "a3"}
    assert set(rootless("pause", "-a").lines) == {"a1", "a2", "a3"}
    rootless("unpause", "a1")
    assert set(rootless("unpause", "--all").lines) == {"a2", "a3"}
    assert "go with it" in rootless("kill", "--all", "a1", status=1).stderr
    assert set(rootless("kill", "--all").lines) == {"a1", "a2", "a3"}
    assert rootless("stop", "--all").lines == []
    assert set(rootless("restart", "--all", "-t", "0").lines) == {"a1", "a2", "a3"}
    rootless("rm", "--all", "--force", "--time", "0")
    assert states(rootless) == {}
    assert rootless("kill", "--all").lines == []


def test_latest(rootless: Rootless, busybox_image: str) -> None:
    assert "there is no container" in rootless("start", "--latest", status=1).stderr
    make(rootless, busybox_image, "older", "newer")
    assert rootless("start", "-l").lines == ["newer"]
    assert rootless("exec", "-l", "echo", "hi").lines == ["hi"]
    assert "sleep 1000" in rootless("top", "-l").stdout
    assert rootless("diff", "-l").lines == []
    assert "neither names nor" in rootless("stop", "-l", "older", status=1).stderr
    figures = ("stats", "--no-stream", "--format", "{{.Name}}", "--latest")
    assert rootless(*figures).lines == ["newer"]
    assert "--latest stands for a name" in rootless(*figures, "--all", status=1).stderr
    assert rootless("kill", "--latest").lines == ["newer"]
    assert rootless("wait", "-l").lines == ["137"]
    assert rootless("rm", "--latest").lines == ["newer"]
    assert states(rootless) == {"older": "created"}
    rootless("rm", "older")


def test_a_name_is_still_needed(rootless: Rootless) -> None:
    for command in ("rm", "stop", "kill", "start", "restart", "pause", "wait", "rmi", "port"):
        assert f"'rootless {command}' requires at least 1" in rootless(command, status=1).stderr
    assert "'rootless exec' requires at least 2" in rootless("exec", "-l", status=1).stderr


def test_ignore(rootless: Rootless, busybox_image: str) -> None:
    make(rootless, busybox_image, "here")
    for command in ("stop", "kill", "rm", "wait"):
        assert rootless(command, "--ignore", "gone").stdout == ""
        assert "No such container" in rootless(command, "gone", status=1).stderr
    assert rootless("rmi", "--ignore", "gone").stdout == ""
    assert rootless("rm", "-i", "gone", "here").lines == ["here"]


def test_rm_in_time(rootless: Rootless, busybox_image: str) -> None:
    """The container is asked to end first."""
    told = Path(rootless.root) / "told"
    script = "trap 'echo asked > /told/it; exit' TERM; echo > /told/ready; while :; do sleep 0.1; done"
    told.mkdir()
    rootless("run", "-d", "--name", "box", "--network", "none", "-v", f"{told}:/told", busybox_image, "sh", "-c", script)
    assert "--time needs --force" in rootless("rm", "--time", "20", "box", status=1).stderr
    rootless("exec", "box", "sh", "-c", "until [ -e /told/ready ]; do sleep 0.05; done")
    rootless("rm", "-f", "-t", "20", "box")
    assert (told / "it").read_text() == "asked\n"
    assert states(rootless) == {}


@pytest.mark.own_store
def test_exists(rootless: Rootless, busybox_image: str) -> None:
    make(rootless, busybox_image, "here")
    rootless("volume", "create", "kept")
    for noun, there in (("container", "here"), ("image", busybox_image), ("volume", "kept")):
        assert rootless(noun, "exists", there)[:3] == (0, "", "")
        assert rootless(noun, "exists", "gone", status=1)[1:3] == ("", "")
    assert rootless("image", "exists", "Not A Name", status=125).stderr != ""
    rootless("rm", "here")
    rootless("volume", "rm", "--all")
    assert rootless("volume", "ls", "-q").lines == []


@pytest.mark.own_store
def test_untag_and_rmi_all(rootless: Rootless, busybox_image: str) -> None:
    identifier = rootless("images", "-q", "--no-trunc", busybox_image).stdout.strip()
    rootless("tag", busybox_image, "other:1")
    rootless("untag", busybox_image, "other:1")
    assert rootless("images", "--format", "{{.Repository}}").lines == ["busybox"]
    assert "has no such name" in rootless("untag", busybox_image, "other:1", status=1).stderr
    rootless("untag", busybox_image)
    assert rootless("images", "--format", "{{.Repository}}").lines == ["<none>"]
    rootless("image", "exists", identifier)
    assert f"Deleted: {identifier}" in rootless("rmi", "-a").lines
    assert rootless("images", "-q").lines == []


def test_replace(rootless: Rootless, busybox_image: str) -> None:
    first = rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sleep", "1000").stdout
    second = rootless("run", "-d", "--replace", "--name", "box", "--network", "none", busybox_image, "sleep", "1000").stdout
    assert first != second
    third = rootless("create", "--replace", "--name", "box", busybox_image, "true").stdout
    assert rootless("ps", "-aq", "--no-trunc").stdout == third
    assert "--replace needs --name" in rootless("create", "--replace", busybox_image, status=125).stderr
    # What cannot be made takes nothing away.
    rootless("create", "--replace", "--name", "box", "--pull", "never", "no/such:image", status=125)
    assert rootless("ps", "-aq", "--no-trunc").stdout == third
    rootless("rm", "box")


@pytest.mark.own_store
def test_the_image_goes_with_the_container(rootless: Rootless, busybox_image: str) -> None:
    rootless("tag", busybox_image, "other:1")
    run = ("run", "--rmi", "--network", "none")
    make(rootless, busybox_image, "box")
    assert "the image stays: container" in rootless(*run, busybox_image, "sh", "-c", "exit 5", status=5).stderr
    rootless("rm", "box")
    assert "neither --detach" in rootless(*run, "-d", busybox_image, status=125).stderr
    assert rootless(*run, busybox_image, "echo", "hi").stdout == "hi\n"
    assert rootless("images", "-q").lines == rootless("ps", "-aq").lines == []


def test_sorted_and_without_a_heading(rootless: Rootless, busybox_image: str) -> None:
    make(rootless, busybox_image, "bb", "aa", "cc")
    names = ("ps", "-a", "--format", "{{.Names}}")
    assert rootless(*names).lines == rootless(*names, "--sort", "created").lines == ["cc", "aa", "bb"]
    assert rootless(*names, "--sort", "names").lines == ["aa", "bb", "cc"]
    assert rootless(*names, "--sort", "moon", status=125).stdout == ""
    assert len(rootless("ps", "-a", "--noheading").lines) == 3
    assert rootless("ps", "-a", "--noheading", "--format", "table {{.Names}}").lines == ["cc", "aa", "bb"]
    assert "REPOSITORY" not in rootless("images", "-n", "--sort", "repository").stdout
    assert "DRIVER" not in rootless("volume", "ls", "--noheading").stdout
    rootless("rm", "--all")


def test_wait_for_a_condition(rootless: Rootless, busybox_image: str) -> None:
    make(rootless, busybox_image, "box")
    assert rootless("wait", "--condition", "created", "box").lines == ["-1"]
    waiting = rootless.start("wait", "--condition=running", "--interval", "20ms", "box")
    rootless("start", "box")
    assert waiting.wait() == 0
    assert rootless("wait", "--condition", "paused", "--condition", "running", "box").lines == ["-1"]
    rootless("kill", "box")
    assert rootless("wait", "--condition", "stopped", "box").lines == ["137"]
    assert rootless("wait", "--condition", "exited", "--condition", "running", "box").lines == ["137"]
    assert "invalid argument" in rootless("wait", "--condition", "moon", "box", status=125).stderr
    rootless("rm", "box")


def test_time_zone(rootless: Rootless, busybox_image: str) -> None:
    need(Path("/usr/share/zoneinfo/Asia/Tokyo").exists(), "no tzdata")
    options = ("run", "--rm", "--network", "none", "--tz")
    run = rootless(*options, "Asia/Tokyo", busybox_image, "tail", "-n1", "/etc/localtime").stdout
    assert run == "JST-9\n"
    for wrong in ("No/Where", "../../../etc/passwd", "/etc/passwd"):
        assert "unable to find timezone" in rootless(*options, wrong, busybox_image, "true", status=125).stderr


def test_keep_groups(rootless: Rootless, busybox_image: str) -> None:
    """The kernel's own list: what has no id inside is shown as 65534, and counts all the same."""
    words = ("--network", "none", "--group-add", "keep-groups")
    asked = ("grep", "Groups:", "/proc/self/status")
    bare = rootless("run", "--rm", "--network", "none", busybox_image, *asked).stdout.split()[1:]
    kept = rootless("run", "--rm", *words, busybox_image, *asked).stdout.split()[1:]
    assert len(kept) == len(os.getgroups()) > 0
    assert kept != bare
    rootless("run", "-d", "--name", "box", *words, busybox_image, "sleep", "1000")
    assert rootless("exec", "box", *asked).stdout.split()[1:] == kept
    rootless("rm", "-f", "box")
    assert "not allowed with any other" in rootless("create", *words, "--group-add", "5", busybox_image, status=125).stderr


def test_latest_is_read(rootless: Rootless, busybox_image: str) -> None:
    make(rootless, busybox_image, "older", "newer")
    for command in ("inspect", "container inspect"):
        assert rootless(*command.split(), "-l", "--format", "{{.Name}}").lines == ["/newer"]
        assert "neither names nor" in rootless(*command.split(), "-l", "older", status=1).stderr
    rootless("rm", "newer")
    rootless("run", "--name", "said", "--network", "none", busybox_image, "echo", "hi")
    assert rootless("logs", "--latest").lines == ["hi"]
    assert rootless("logs", "-tl").lines[0].endswith("Z hi")
    rootless("rm", "--all")
    assert "there is no container" in rootless("logs", "-l", status=1).stderr


def timeless(row: dict[str, str]) -> dict[str, str]:
    """Without what grows while we look."""
    return {key: value for key, value in row.items() if key not in ("RunningFor", "CreatedSince")}


@pytest.mark.own_store
def test_called_podman(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """Lists are one array, whose items are those of our own lines."""
    make(rootless, busybox_image, "a1", "a2")
    rootless("volume", "create", "kept")
    lists = ("ps -a", "images", "volume ls", f"history {busybox_image}", "system df", "ps -a --filter name=gone")

    def named(name: str) -> dict[str, str]:
        link = tmp_path / name
        link.symlink_to(rootless.argv[0])
        called = Rootless(rootless.root, rootless.runtime)
        called.argv = [str(link)]
        return {words: called(*words.split(), "--format", "json").stdout for words in lists}

    need(len(rootless.argv) == 1, "the command is not installed")
    ours, podmans = named("docker"), named("podman")
    for words in lists:
        lines = [json.loads(line) for line in ours[words].splitlines()]
        assert [timeless(row) for row in json.loads(podmans[words])] == [timeless(row) for row in lines], words
    assert len(json.loads(podmans["ps -a"])) == 2
    rootless("rm", "--all")


def test_its_time_is_over(rootless: Rootless, busybox_image: str) -> None:
    """Also of one that ignores what it may, with a check of its health under way, and at each start."""
    words = ("--network", "none", "--timeout", "1", "--health-cmd", "true", "--health-interval", "1h")
    rootless("create", "--name", "box", *words, busybox_image, "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    assert rootless("inspect", "--format", "{{.Config.Timeout}}", "box").lines == ["1"]
    ended = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}"
    for _ in range(2):
        rootless("start", "-a", "box", status=137)
        assert rootless("inspect", "--format", ended, "box").lines == ["exited 137 false"]
    rootless("rm", "box")
    rootless("run", "--rm", "--network", "none", "--timeout", "1", busybox_image, "sleep", "1000", status=137)
    assert rootless("run", "--rm", "--network", "none", "--timeout", "1000", busybox_image, "echo", "hi").lines == ["hi"]
    rootless("run", "--rm", "--network", "none", "--timeout", "0", busybox_image, "sleep", "1.2")
    for wrong in ("-1", "x", "4294967296", "1s"):
        assert "invalid argument" in rootless("create", "--timeout", wrong, busybox_image, status=125).stderr
