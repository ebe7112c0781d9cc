"""Compose projects by their page: made, brought up, changed, taken down; and what no label leads to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rootless.console import compose_files, jobs
from rootless.console.request import Problem
from tests.harness import processes
from tests.harness.command import Rootless
from tests.harness.console import Answer, Browser

LABEL = "com.docker.compose."


def documents(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer
    return [json.loads(line) for line in answer.body.splitlines()]


def done(answer: Answer) -> str:
    """The command that was carried out, and ended well."""
    first, *_, last = documents(answer)
    assert last == {"exit": 0}, answer
    return str(first["command"])


def test_a_project_from_its_file_to_its_end(browser: Browser, rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    assert browser.get(f"/projects/edit?file={file}").status == 404
    assert json.loads(browser.post("/projects/open", {"file": f" {file} "}).body) == {"file": str(file)}
    assert "not there yet" in browser.page(f"/projects/edit?file={file}")

    def edited(text: str, was: str, do: str = "save") -> Any:
        answer = browser.post("/projects/edit", {"file": str(file), "text": text, "was": was, "do": do})
        return json.loads(answer.body) if answer.status == 200 else answer

    wrong = edited("services:\n  one:\n    image: x\n    portss: []\n", "")
    assert (wrong["line"], "did you mean ports?" in wrong["problem"], "compose.yaml:4:" in wrong["problem"]) == (4, True, True)
    assert edited("services: [\n", "")["line"] > 0
    assert not list(tmp_path.iterdir())
    service = f"    image: {busybox_image}\n    command: sleep 1000\n    network_mode: none\n    stop_grace_period: 0s\n"
    text = f"name: real\nservices:\n  one:\n{service}"
    assert edited(text, "", "check")["command"] == f"rootless compose -f {file} config -q"
    assert not list(tmp_path.iterdir())
    digest = edited(text, "")["digest"]
    assert (file.read_text(), [each.name for each in tmp_path.iterdir()]) == (text, ["compose.yaml"])
    assert edited(text + "# x\n", "").status == edited(text, "0" * 64).status == 409  # somebody else wrote it since
    file.chmod(0o664)
    changed = text + '    labels: {said: "<b>&"}\n'
    digest = edited(changed, digest)["digest"]
    assert (file.read_text(), file.stat().st_mode & 0o777) == (changed, 0o664)
    assert "&lt;b&gt;&amp;" in browser.page(f"/projects/edit?file={file}")
    assert f"rootless compose -f {file} up -d" in browser.page("/projects")
    command = done(browser.post("/projects/do", {"action": "up", "file": str(file)}))
    assert command == f"rootless compose -f {file} up -d"
    page = browser.page("/projects")
    assert "1 of 1 containers run" in page
    assert 'href="/containers/real-one-1"' in page
    assert 'href="/logs?name=real-one-1"' in page
    for verb, words in (("restart", "restart"), ("stop", "stop"), ("up", "up -d"), ("down", "down")):
        command = done(browser.post("/projects/do", {"action": verb, "project": "real"}))
        assert command == f"rootless compose -p real -f {file} {words}"
    assert rootless("ps", "-aq").stdout == ""
    assert f"rootless compose -f {file} up -d" in browser.page("/projects")  # to be brought up again
    assert browser.post("/projects/do", {"action": "down", "project": "real"}).status == 404
    file.write_text("services: [")
    found = documents(browser.post("/projects/do", {"action": "up", "file": str(file)}))
    assert found[-1]["exit"] == 1
    assert any(str(file) in each.get("line", "") for each in found)
    assert edited(text, digest).status == 409


def test_a_label_names_no_file(browser: Browser, rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """An image says that it is of a project, of files of the user's own."""
    secret = tmp_path / "secret.yaml"
    secret.write_text("key: hidden\n")
    labels = {
        "project": "evil", "config-hash": "x", "service": "s", "project.config_files": str(secret), "project.working_dir": "/",
        "project.environment_file": str(secret),
    }  # fmt: skip
    options = [word for key, value in labels.items() for word in ("-l", f"{LABEL}{key}={value}")]
    rootless("create", "--name", "base", "--network", "none", *options, busybox_image)
    rootless("commit", "-q", "base", "evil:latest")
    rootless("rm", "base")
    rootless("run", "-d", "--name", "said", "--network", "none", "--stop-timeout", "0", "evil:latest", "sleep", "1000")
    file = tmp_path / "compose.yaml"
    file.write_text("services: {one: {image: evil:latest, command: sleep 1000, network_mode: none, stop_grace_period: 0s}}\n")
    rootless("compose", "-p", "real", "-f", str(file), "up", "-d")
    page = browser.page("/projects")
    assert "real-one-1" in page
    assert "evil" not in page
    assert str(secret) not in page  # also not as the variables' file of a project that is one
    for path in (str(secret), "/etc/passwd", "/etc/shadow", f"{tmp_path}/../{tmp_path.name}/compose.yaml", ""):
        assert browser.get(f"/projects/edit?file={path}").status == 404, path
        refused = browser.post("/projects/edit", {"file": path, "text": "services: {}\n", "was": "", "do": "save"})
        assert refused.status == 404, refused
        assert browser.post("/projects/do", {"action": "up", "file": path}).status == 404
    assert browser.get(f"/projects/edit?file={file}").status == 200
    assert secret.read_text() == "key: hidden\n"
    wrong: tuple[dict[str, Any], ...] = (
        {"action": "exec"}, {"action": "up"}, {"action": "up", "project": "evil"}, {"action": "up", "project": ["real"]},
        {"action": "up", "project": "--help"},
    )  # fmt: skip
    for wanted in wrong:
        assert browser.post("/projects/do", wanted).status in (400, 404), wanted
    rootless("compose", "-p", "real", "-f", str(file), "down")
    rootless("rm", "-f", "said")
    rootless("rmi", "evil:latest")


def test_paths_that_are_typed(browser: Browser, tmp_path: Path) -> None:
    for path in ("", "compose.yaml", "/etc/passwd", f"{tmp_path}/../x.yaml", f"{tmp_path}/none/x.yaml", "~/x.yaml", f"{tmp_path}/a\0.yaml"):
        assert browser.post("/projects/open", {"file": path}).status in (400, 404), path
    link, real = tmp_path / "link.yaml", tmp_path / "real.yaml"
    real.write_text("services: {}\n")
    link.symlink_to(real)
    assert str(real) in browser.post("/projects/open", {"file": str(link)}).message
    assert browser.post("/projects/open", {"file": str(real)}, **{"X-Rootless-Token": "x"}).status == 403
    assert browser.get(f"/projects/edit?file={real}").status == 404


def test_files_that_are_not_edited(tmp_path: Path) -> None:
    """What a page cannot show as it is would be written as it is shown."""
    for name, data in (
        ("binary.yaml", b"\xff\xfe"), ("bell.yaml", b"a: \x07\n"), ("turned.yaml", "a: \u202ex\n".encode()),
        ("large.yaml", b"#" * (compose_files.LIMIT + 1)),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Problem):
            compose_files.read(str(tmp_path / name))
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "real.yaml").write_text("services: {}\n")
    for path in (str(tmp_path / "fifo.yaml"), "/etc/passwd", str(tmp_path), os.path.relpath(tmp_path / "real.yaml")):
        with pytest.raises(Problem):
            compose_files.read(path)
    (tmp_path / "dos.yaml").write_bytes(b"a: 1\r\nb: 2\r\n")
    found = compose_files.read(str(tmp_path / "dos.yaml"))
    compose_files.write(found.path, found.text + "c: 3\n", found.digest)
    assert (tmp_path / "dos.yaml").read_bytes() == b"a: 1\r\nb: 2\r\nc: 3\r\n"


def test_commands_at_work_are_few_and_go_on_without_the_page(
    browser: Browser, rootless: Rootless, busybox_image: str, tmp_path: Path
) -> None:
    """A project that waits for its database goes on where the page is left; of those there are MOST."""
    one = f"image: {busybox_image}, command: sleep 1000, network_mode: none, stop_grace_period: 0s"
    health = "healthcheck: {test: test -e /tmp/go, interval: 1s, retries: 10000}"
    text = f"services:\n  db: {{{one}, {health}}}\n  app: {{{one}, depends_on: {{db: {{condition: service_healthy}}}}}}\n"
    files = [tmp_path / f"p{number}" / "compose.yaml" for number in range(jobs.MOST)]
    for file in files:
        file.parent.mkdir()
        file.write_text(text)
        assert browser.post("/projects/open", {"file": str(file)}).status == 200
        with browser.console.open("POST", "/projects/do", {"action": "up", "file": str(file)}, browser.headers) as answer:
            assert json.loads(answer.readline())["command"]
    refused = browser.post("/projects/do", {"action": "up", "file": str(files[0])})
    assert refused.status == 429, refused
    databases = {f"p{number}-db-1" for number in range(jobs.MOST)}

    def run(names: set[str]) -> bool:
        return set(rootless("ps", "--format", "{{.Names}}").lines) >= names

    processes.wait_until(lambda: run(databases), "the databases")
    for name in databases:
        rootless("exec", name, "touch", "/tmp/go")
    processes.wait_until(lambda: run({name.replace("db", "app") for name in databases}), "what waited for them")

    def ended() -> bool:
        answer = browser.post("/projects/do", {"action": "down", "file": str(files[0])})
        return answer.status == 200 and documents(answer)[-1] == {"exit": 0}

    processes.wait_until(ended, "a command's end")
    for file in files[1:]:
        rootless("compose", "-f", str(file), "down")
