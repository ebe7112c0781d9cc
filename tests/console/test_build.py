"""An image is built: of a typed Dockerfile, of an archive, of a directory; what goes wrong is in its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.api.test_archive import tar
from tests.harness.command import Rootless
from tests.harness.console import Answer, Browser

EVIL = "<img src=x>\x1b[31m\u202e"


def documents(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer
    return [json.loads(line) for line in answer.body.splitlines()]


def test_each_source_makes_the_image_and_links_it(browser: Browser, rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    assert 'href="/build"' in browser.page("/images")
    assert 'id="build-text"' in browser.page("/build")
    (tmp_path / "Other").write_text(f"FROM {busybox_image}\nCOPY given /given\n")
    (tmp_path / "given").write_text("x")
    dockerfile = f"FROM {busybox_image}\nRUN printf '%s\\n' '{EVIL}'\n"
    archive = tar(Dockerfile=f"FROM {busybox_image}\nCOPY x /x\n".encode(), x=b"brought")
    answers = {
        "rootless build -t typed -": browser.post("/build", {"tag": "typed", "text": dockerfile}),
        "rootless build -t brought - < FILE": browser.upload("/build/archive?tag=brought", archive),
        f"rootless build -t here -f {tmp_path}/Other {tmp_path}":
            browser.post("/build", {"tag": "here", "directory": str(tmp_path), "file": "Other"}),
    }  # fmt: skip
    for command, answer in answers.items():
        found = documents(answer)
        assert found[0] == {"command": command}
        assert found[-1] == {"exit": 0}, answer
        (image,) = (each["image"] for each in found if "image" in each)
        assert browser.get(f"/images/{image}").status == 200
        assert not set(answer.text) & set("\x1b\u202e")
        assert "\\u001b" not in answer.text
    assert any(each.get("line", "").endswith("<img src=x>\ufffd[31m\ufffd") for each in documents(answers["rootless build -t typed -"]))
    for tag, path in (("brought", "/x"), ("here", "/given")):
        assert rootless("run", "--rm", "--network", "none", tag, "cat", path).stdout in ("brought", "x")
    for tag in ("typed", "brought", "here"):
        rootless("rmi", tag)


def test_what_goes_wrong_is_said(browser: Browser, rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    failing = f"FROM {busybox_image}\nRUN echo said; exit 7\n"
    (tmp_path / "Dockerfile").write_text(failing)
    for answer in (
        browser.post("/build", {"tag": "x", "text": "FORM scratch\n"}), browser.post("/build", {"tag": "x", "text": failing}),
        browser.upload("/build/archive?tag=x", b"no archive at all"), browser.post("/build", {"tag": "x", "directory": str(tmp_path)}),
        browser.post("/build", {"tag": "-x y", "directory": str(tmp_path)}),
    ):  # fmt: skip
        found = documents(answer)
        assert found[-1]["exit"] != 0, answer
        assert any(each.get("line") for each in found), answer
        assert not any("image" in each for each in found)
    wrong: tuple[dict[str, Any], ...] = (
        {"text": failing}, {"tag": "x"}, {"tag": "x", "directory": "relative"}, {"tag": "x", "directory": "/nowhere"}, {"tag": ["x"]},
        {"tag": "x", "directory": "/etc/passwd"}, {"tag": "x", "directory": "--help"}, {"tag": "x", "directory": "https://evil.example"},
    )  # fmt: skip
    for form in wrong:
        assert browser.post("/build", form).status == 400, form
    assert browser.upload("/build/archive?tag=", b"x").status == 400
    assert browser.upload("/build/archive?tag=x", b"x", **{"X-Rootless-Token": ""}).status == 403
    assert rootless("images", "-q", "x").stdout == ""


def test_another_name_other_limits_and_what_takes_room(browser: Browser, box: str, rootless: Rootless) -> None:
    assert f'data-form="/containers/{box}/limits"' in browser.page(f"/containers/{box}")
    answer = browser.post(f"/containers/{box}/limits", {"restart": "on-failure", "memory": ""})
    assert json.loads(answer.body)["command"] == f"rootless update --restart on-failure {box}"
    assert rootless("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", box).stdout == "on-failure\n"
    # Where the command line can have these limits, the page can, and shows that line; where it cannot, it says the same.
    answer = browser.post(f"/containers/{box}/limits", {"memory": "64m", "pids": "50"})
    typed = rootless("update", "--memory", "64m", "--pids-limit", "50", box, status=None)
    if answer.status == 200:
        assert json.loads(answer.body)["command"] == f"rootless update --memory 64m --pids-limit 50 {box}"
    else:
        assert typed.status
        assert answer.message.splitlines()[0] in typed.stderr
    assert (answer.status == 200) == (typed.status == 0)
    for form in ({}, {"memory": "much"}, {"pids": "-1"}, {"pids": "x"}, {"cpus": "nan"}, {"memory": ["64m"]}, {"restart": "never"}):
        assert browser.post(f"/containers/{box}/limits", form).status == 400, form
    for name in ("", "a/b", "../x", "-x", "a b"):
        assert browser.post(f"/containers/{box}/rename", {"name": name}).status == 400, name
    page = browser.page("/disk")
    assert "rootless system df -v" in page
    assert f'href="/containers/{box}"' in page
    assert "Build cache" in page
    answer = browser.post(f"/containers/{box}/rename", {"name": "other"})
    assert json.loads(answer.body) == {"command": f"rootless rename {box} other", "location": "/containers/other"}
    assert browser.get("/containers/other").status == 200
    assert browser.get(f"/containers/{box}").status == 404
    assert json.loads(browser.post("/prune/build").body)["command"] == "rootless builder prune --force"
    rootless("rename", "other", box)
    rootless("create", "--name", "idle", "--network", "none", "busybox")
    rootless("network", "create", "idle")
    rootless("volume", "create", "kept")
    assert json.loads(browser.post("/prune/all").body)["command"] == "rootless system prune --force"
    assert rootless("ps", "-a", "--format", "{{.Names}}").lines == [box]
    assert "idle" not in rootless("network", "ls", "--format", "{{.Name}}").lines
    assert rootless("volume", "ls", "-q").lines == ["kept"]
    rootless("volume", "rm", "kept")
