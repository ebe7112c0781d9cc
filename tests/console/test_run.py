"""The form that makes a container: what it makes is what the command that it shows would make."""

from __future__ import annotations

import json
import shlex

from tests.harness.command import Rootless
from tests.harness.console import Browser

FORM = {
    "image": "busybox:latest", "name": "made", "command": "sh -c 'echo \"$A\"; sleep 1000'", "ports": "127.0.0.1::80 81/udp",
    "volumes": "data:/data\n\n  /tmp:/t:ro ", "environment": "A=a b;$(id)\nB=", "network": "none", "restart": "on-failure", "tty": True,
}  # fmt: skip


def test_a_form_and_its_command_make_the_same(browser: Browser, rootless: Rootless, busybox_image: str) -> None:
    assert f'<option value="{busybox_image}">' in browser.page("/run")
    form = {**FORM, "image": busybox_image, "ports": ""}
    shown = json.loads(browser.post("/run", {**form, "do": "command"}).body)
    assert list(shown) == ["command"]
    assert rootless("ps", "-aq").stdout == ""
    answer = browser.post("/run", {**form, "do": "run"})
    assert answer.status == 200, answer
    assert json.loads(answer.body) == {**shown, "location": "/containers/made"}
    assert browser.get("/containers/made").status == 200
    words = shlex.split(shown["command"])
    words[words.index("made")] = "typed"
    rootless(*words[1:])
    by_form, typed = (
        rootless("inspect", "-f", "{{json .Config}} {{json .HostConfig}} {{json .Mounts}} {{.State.Status}}", name).stdout
        for name in ("made", "typed")
    )
    assert _comparable(by_form) == _comparable(typed)
    rootless("rm", "-fv", "made", "typed")
    rootless("volume", "rm", "-f", "data")


def _comparable(inspected: str) -> list[object]:
    decoder, found, at = json.JSONDecoder(), list[object](), 0
    for _ in range(3):
        value, at = decoder.raw_decode(inspected, at)
        at += 1
        if isinstance(value, dict):
            for key in ("Hostname", "AttachStdout", "AttachStderr", "AttachStdin", "StdinOnce", "Env"):
                value.pop(key, None)
        found.append(value)
    return [*found, inspected[at:].strip()]


WRONG: tuple[tuple[str, object], ...] = (
    ("image", ""), ("image", ["busybox"]), ("command", "sh -c 'x"), ("ports", "99999:80"), ("ports", "8080:80; id"),
    ("ports", "--help"), ("memory", "much"), ("memory", "-1"), ("cpus", "nan"), ("cpus", "inf"), ("cpus", "-1"), ("restart", "sometimes"),
    ("name", "../x"), ("volumes", "relative/x:/y"), ("network", "nowhere"), ("do", "anything"),
)  # fmt: skip


def test_a_field_that_is_wrong_makes_nothing(browser: Browser, rootless: Rootless, busybox_image: str) -> None:
    for field, value in WRONG:
        answer = browser.post("/run", {**FORM, "image": busybox_image, "do": "create", field: value})
        assert answer.status in (400, 404), (field, value, answer)
        assert answer.message
        assert rootless("ps", "-aq").stdout == "", (field, value)
    rootless("volume", "rm", "-f", "data")


def test_ports_of_the_form(browser: Browser, rootless: Rootless, busybox_image: str) -> None:
    answer = browser.post("/run", {**FORM, "image": busybox_image, "network": "", "volumes": "", "do": "create"})
    assert answer.status == 200, answer
    bindings = json.loads(rootless("inspect", "-f", "{{json .HostConfig.PortBindings}}", "made").stdout)
    assert bindings["80/tcp"][0]["HostIp"] == "127.0.0.1"
    assert "81/udp" in bindings
    assert browser.post("/run", {**FORM, "image": busybox_image, "network": "", "volumes": "", "do": "create"}).status == 409
    rootless("rm", "made")
