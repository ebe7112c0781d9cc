"""A container's files are data: whatever stands in one of them, commands about the others go on, and it can be removed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until

HUGE = "9" * 5000
DAMAGES: dict[str, bytes | None] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[1, 2]",
    "a text": b'"x"',
    "a number": b"7",
    "an object of nothing": b"{}",
    "half of it": b'{"pid": 1, "sta',
    "no UTF-8": b'{"pid": 1, "name": "\xff\xfe"}',
    "lists in lists": b"[" * 100_000,
    "objects in objects": b'{"a":' * 100_000,
    "a huge number": f'{{"pid": {HUGE}}}'.encode(),
    "a directory": None,
}
CHANGES: dict[str, dict[str, object]] = {
    "exit.json": {
        "a stop": {"status": 0x137F}, "a status that is none": {"status": 1 << 40}, "below nothing": {"status": -1},
        "a status in words": {"status": "9"}, "no status": {"status": None}, "an end of no time": {"finished_at": "now"},
        "an end of another type": {"finished_at": 5}, "a long error": {"error": ["x"]},
    },
    "state.json": {
        "pid in words": {"pid": "12"}, "pid out of range": {"pid": 1 << 70}, "below nothing": {"pid": -1},
        "a list of monitors": {"monitor_pid": []}, "a start of no time": {"started_at": "2026-99-99T99:99:99Z"},
        "a network that is none": {"network": [1]}, "ports that are none": {"network": {"ports": [7]}},
        "half a letter": {"error": "HALF"}, "another boot": {"boot_id": 5},
    },
    "config.json": {
        "no mounts": {"mounts": [5]}, "labels that are none": {"labels": "x"}, "a time that is none": {"created_at": "x"},
        "half a letter": {"cmd": ["HALF"]}, "an image that is none": {"image": None}, "numbers": {"entrypoint": [1]},
        "no network": {"network": {}}, "a pod that is none": {"pod": 7}, "an infra that is none": {"infra": "yes"},
        "a pod that is gone": {"pod": "0" * 64, "infra": True}, "a pod elsewhere": {"pod": "../containers", "infra": True},
    },
    "restart.json": {"retries in words": {"retries": "5"}, "a name that is none": {"name": ["always"]}, "more": {"more": 1}},
    "health.json": {"a log that is none": {"log": 7}, "results that are none": {"log": [{}]}},
}  # fmt: skip

def spoil(path: Path, damage: str) -> None:
    """Put the damage in place of the file."""
    if damage in CHANGES[path.name]:
        found = json.loads(path.read_text()) if path.exists() else {}
        text = json.dumps({**found, **CHANGES[path.name][damage]})  # type: ignore[dict-item]
        path.write_text(text.replace("HALF", "\\ud800"))
        return
    data = DAMAGES[damage]
    path.unlink(missing_ok=True)
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)




COMMANDS = (
    ("ps",), ("ps", "-a"), ("ps", "-a", "--filter", "status=exited"), ("ps", "-a", "--filter", "volume=x"),
    ("ps", "-a", "--filter", "label=x"), ("ps", "-a", "--filter", "ancestor=busybox"), ("ps", "-a", "--format", "json"),
    ("stats", "--no-stream"), ("stats", "--no-stream", "-a"), ("system", "df"), ("system", "df", "-v"), ("info", "-f", "{{.Containers}}"),
    ("events", "--since", "1h", "--until", "0s"), ("inspect", "other"), ("logs", "other"), ("volume", "ls"),
    ("volume", "prune", "-f"), ("images",), ("create", "--name", "more", "busybox"),
    ("rm", "more"), ("run", "--rm", "--network", "none", "busybox", "true"), ("start", "other"), ("rm", "-f", "other"),
)  # fmt: skip
ABOUT_ONE = (
    ("inspect", "IT"), ("start", "IT"), ("stop", "IT"), ("logs", "IT"), ("wait", "IT"), ("exec", "IT", "true"),
    ("healthcheck", "run", "IT"), ("kill", "IT"), ("update", "--restart", "no", "IT"), ("restart", "IT"),
    ("port", "IT"), ("top", "IT"), ("export", "IT"), ("diff", "IT"), ("cp", "IT:/etc/passwd", "-"),
)  # fmt: skip


def copies(rootless: Rootless, name: str, damages: list[str]) -> dict[str, Path]:
    """Containers like the one that is there, each with one damage of the file `name`: what is damaged -> its directory."""
    (found,) = json.loads(rootless("inspect", "box").stdout)
    first = rootless.root / "containers" / found["Id"]
    made = {}
    for number, damage in enumerate(damages):
        identifier = f"{number:02}" + "f" * 62
        directory = rootless.root / "containers" / identifier
        directory.mkdir(mode=0o700)
        for file in ("config.json", "state.json", "exit.json", "restart.json", "health.json", "lock"):
            if (first / file).exists():
                text = (first / file).read_text()
                (directory / file).write_text(text.replace(found["Id"], identifier).replace('"box"', f'"box{number}"'))
        (rootless.root / "names" / f"box{number}").symlink_to(identifier)
        spoil(directory / name, damage)
        made[damage] = directory
    return made


@pytest.mark.parametrize("name", CHANGES)
def test_commands_about_others_go_on(rootless: Rootless, busybox_image: str, name: str) -> None:
    options = ("--network", "none", "--restart", "on-failure:1", "--health-cmd", "true", "--health-interval", "1h")
    rootless("run", "--name", "box", *options, busybox_image, "true")
    rootless("create", "--name", "other", "--network", "none", busybox_image, "true")
    made = copies(rootless, name, [*DAMAGES, *CHANGES[name]])
    for words in COMMANDS:
        rootless(*words, warns=words == ("info",))  # that the host gives no limits, for one
    rootless("container", "start-with-machine", status=None)  # those that can be, are; and the others are told
    shown = rootless("ps", "-a", "--no-trunc").stdout
    for damage, directory in made.items():
        assert directory.name in shown, f"{damage}: it is shown"
        rootless("rm", "-f", directory.name)
        assert not directory.exists(), damage
    rootless("rm", "-f", "box")


@pytest.mark.parametrize("name", CHANGES)
def test_commands_about_itself_are_told_so(rootless: Rootless, busybox_image: str, name: str) -> None:
    """An error, or done; never a defect."""
    rootless("run", "--name", "box", "--network", "none", busybox_image, "true")
    made = copies(rootless, name, ["lists in lists", "a directory", "an object of nothing"])
    for directory in made.values():
        for words in ABOUT_ONE:
            rootless(*(directory.name if word == "IT" else word for word in words), status=None, timeout=40)
        rootless("rm", "-f", directory.name)
    rootless("rm", "box")


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("last", [("container", "prune", "-f"), ("system", "prune", "-f")])
def test_it_can_be_pruned(rootless: Rootless, busybox_image: str, name: str, last: tuple[str, ...]) -> None:
    rootless("run", "--name", "box", "--network", "none", busybox_image, "true")
    copies(rootless, name, [*DAMAGES, *CHANGES[name]])
    rootless(*last)
    assert rootless("ps", "-aq").stdout == ""


@pytest.mark.own_store
def test_reset(rootless: Rootless, busybox_image: str) -> None:
    for number, name in enumerate(CHANGES):
        rootless("run", "--name", f"box{number}", "--network", "none", busybox_image, "true")
        identifier = rootless("inspect", "-f", "{{.Id}}", f"box{number}").stdout.strip()
        spoil(rootless.root / "containers" / identifier / name, "lists in lists")
    rootless("system", "reset", "-f")
    assert not (rootless.root / "containers").exists()
    shutil.rmtree(rootless.root, ignore_errors=True)
    rootless.root.mkdir(exist_ok=True)


RUNNING = {
    "half of it": b'{"pid": 1, "sta', "lists in lists": b"[" * 100_000, "a directory": None, "gone": None,
}  # fmt: skip


@pytest.mark.parametrize("damage", RUNNING)
def test_what_runs_is_not_taken_for_ended(rootless: Rootless, busybox_image: str, damage: str) -> None:
    """Its monitor knows what state.json no longer says: nothing is removed under its processes."""
    rootless("create", "--name", "other", "--network", "none", busybox_image, "true")
    made = []
    for name in ("box", "more"):
        rootless("run", "-d", "--name", name, "--network", "none", busybox_image, "sleep", "1000")
        directory = rootless.root / "containers" / rootless("inspect", "-f", "{{.Id}}", name).stdout.strip()
        made.append(directory)
        pid = json.loads((directory / "state.json").read_text())["pid"]
        (directory / "state.json").unlink()
        if damage == "a directory":
            (directory / "state.json").mkdir()
        elif damage != "gone":
            (directory / "state.json").write_bytes(RUNNING[damage] or b"")
    assert rootless("inspect", "-f", "{{.State.Status}} {{.State.Pid}}", "more").stdout == f"running {pid}\n"
    assert "running" in rootless("rm", "more", status=1).stderr
    assert rootless("exec", "more", "echo", "inside").stdout == "inside\n"
    rootless("start", "more")
    assert rootless("inspect", "-f", "{{.State.Pid}}", "more").stdout == f"{pid}\n"
    rootless("container", "prune", "-f")
    assert len(rootless("ps", "-q").lines) == 2
    rootless("rm", "-f", "more")
    assert not Path(f"/proc/{pid}").exists()
    rootless("stop", "-t", "0", "box")
    assert rootless("ps", "-q").stdout == ""
    rootless("rm", "box")


def test_a_damaged_end_is_an_end_while_its_restart_is_awaited(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "box", "--network", "none", "--restart", "always", busybox_image, "false")
    directory = rootless.root / "containers" / rootless("inspect", "-f", "{{.Id}}", "box").stdout.strip()
    # Each wait is twice as long as the one before.
    shown = ("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "box")
    wait_until(lambda: rootless(*shown).stdout == "5 restarting\n", "its fifth restart's end")
    (directory / "exit.json").write_bytes(b"{")
    assert rootless(*shown).stdout == "5 restarting\n"
    assert "restarting" in rootless("rm", "box", status=1).stderr
    rootless("rm", "-f", "box")
