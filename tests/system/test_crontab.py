"""`enable` and `disable` on a host without systemd: a line of the user's crontab, by Debian's own crontab."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rootless.engine.lifecycle.autostart import autostart, crontab
from rootless.errors import InvalidInput
from tests.harness.account import SYSTEM_PATH, User
from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.trees import remove_tree
from tests.need import need

THEIRS = b"MAILTO=me\n\n  # Caf\xe9 \x0c and \xff \n5 4 * * *\techo 100\\% # rootless enable web.\n@daily true"
OF_CRON = {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}


@pytest.fixture
def table(user: User) -> Iterator[None]:
    """The account's crontab, as it was again afterwards."""
    need(not autostart.uses_systemd(), "a host without systemd")
    need(shutil.which("crontab", path=SYSTEM_PATH), "crontab (cron) is not installed")
    before = subprocess.run(["crontab", "-l"], capture_output=True, check=False)
    yield
    if before.returncode == 0:
        subprocess.run(["crontab", "-"], input=before.stdout, check=True)
    else:
        subprocess.run(["crontab", "-r"], capture_output=True, check=False)


def lines() -> list[bytes]:
    done = subprocess.run(["crontab", "-l"], capture_output=True, check=False)
    return done.stdout.split(b"\n")[:-1] if done.returncode == 0 else []


def run_as_cron_does(line: bytes) -> None:
    """entry.c and do_command.c of Debian's cron: up to the first bare %, with \\% for a percent sign."""
    assert line.startswith(b"@reboot ")
    command = re.split(rb"(?<!\\)%", line.removeprefix(b"@reboot "))[0].replace(b"\\%", b"%")
    home = str(Path.home())
    environment = {**OF_CRON, "HOME": home, "LOGNAME": os.environ.get("USER", "")}
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def inspected(rootless: Rootless, name: str) -> dict[str, Any]:
    (found,) = json.loads(rootless("inspect", name).stdout)
    return dict(found)


def test_a_line_comes_once_and_goes_alone(rootless: Rootless, busybox_image: str, table: None) -> None:
    subprocess.run(["crontab", "-"], input=THEIRS + b"\n", check=True)
    rootless("create", "--name", "web", "--network", "none", "busybox", "sleep", "1000")
    assert rootless("enable", "web").stdout == "web: crontab\n"
    rootless("enable", "web")
    theirs = THEIRS.split(b"\n")
    *rest, ours = lines()
    assert rest == theirs
    assert re.fullmatch(rb"@reboot .* start web # rootless enable web", ours)
    rootless("enable", "--policies")
    assert len(lines()) == len(theirs) + 2
    rootless("disable", "web")
    assert lines()[:-1] == theirs
    rootless("disable", "--policies")
    assert lines() == theirs
    assert "not enabled" in rootless("disable", "web", status=None).stderr
    rootless("rm", "web")


def test_the_line_starts_the_container(rootless: Rootless, busybox_image: str, table: None) -> None:
    rootless("run", "-d", "--name", "web", "--restart", "on-failure", "--network", "none", "busybox",
             "sh", "-c", "[ -e /second ] || { touch /second; exit 1; }; exec sleep 1000")  # fmt: skip
    wait_until(lambda: inspected(rootless, "web")["RestartCount"] == 1, "the restart by its policy")
    wait_until(lambda: inspected(rootless, "web")["State"]["Status"] == "running", "the second run")
    rootless("enable", "web")
    os.kill(inspected(rootless, "web")["State"]["MonitorPid"], 9)  # as a power cut would
    wait_until(lambda: inspected(rootless, "web")["State"]["Status"] == "exited", "the end")
    run_as_cron_does(lines()[-1])
    found = inspected(rootless, "web")
    assert (found["State"]["Status"], found["RestartCount"]) == ("running", 0)
    assert rootless("exec", "web", "echo", "reached").stdout == "reached\n"
    rootless("disable", "web")
    rootless("rm", "-f", "web")


def test_the_line_starts_a_pod(rootless: Rootless, busybox_image: str, table: None) -> None:
    rootless("pod", "create", "--name", "app", "--network", "none")
    rootless("create", "--pod", "app", "--name", "web", "busybox", "sleep", "1000")
    rootless("enable", "app")
    assert re.fullmatch(rb"@reboot .* pod start app # rootless enable app", lines()[-1])
    run_as_cron_does(lines()[-1])
    assert inspected(rootless, "web")["State"]["Status"] == "running"
    rootless("container", "stop-with-machine", "app")
    assert inspected(rootless, "web")["State"]["Status"] == "exited"
    rootless("disable", "app")
    rootless("pod", "rm", "app")


def test_the_line_starts_a_project_in_its_order(rootless: Rootless, busybox_image: str, table: None, tmp_path: Path) -> None:
    """As its restart policies say, and after the conditions of depends_on; the compose file may have gone meanwhile."""
    directory = tmp_path / "shop"
    directory.mkdir()
    common = "image: busybox, command: sleep 1000, stop_grace_period: 0s, network_mode: none"
    (directory / "compose.yaml").write_text(f"""
services:
  web: {{{common}, restart: always, depends_on: {{db: {{condition: service_healthy}}, job: {{condition: service_started}}}}}}
  db:
    {common.replace(', ', chr(10) + '    ')}
    restart: unless-stopped
    healthcheck: {{test: "test -e /healthy || {{ touch /healthy; false; }}", interval: 1s, retries: 20}}
  job: {{{common}}}
  stopped: {{{common}, restart: unless-stopped}}
""")
    assert "no such project: shop" in rootless("enable", "--project", "shop", status=1).stderr
    rootless("compose", "up", "-d", cwd=directory)
    rootless("compose", "stop", "stopped", cwd=directory)
    assert rootless("enable", "--project", "shop").stdout == "project:shop: crontab\n"
    assert re.fullmatch(rb"@reboot .* compose -p shop start-with-machine # rootless enable project:shop", lines()[-1])
    (directory / "compose.yaml").unlink()
    names = [f"shop-{service}-1" for service in ("web", "db", "job", "stopped")]
    for name in names[:3]:
        os.kill(inspected(rootless, name)["State"]["MonitorPid"], 9)
        wait_until(lambda name=name: inspected(rootless, name)["State"]["Status"] == "exited", "the end")  # type: ignore[misc]
    run_as_cron_does(lines()[-1])
    states = [inspected(rootless, name)["State"] for name in names]
    assert [state["Status"] for state in states] == ["running", "running", "exited", "exited"]
    assert states[1]["Health"]["Status"] == "healthy"
    assert states[1]["Health"]["Log"][-1]["End"] < states[0]["StartedAt"]
    # The end of the machine is nobody's hand: what is stopped by it comes back with it.
    rootless("compose", "-p", "shop", "stop-with-machine")
    assert {inspected(rootless, name)["State"]["Status"] for name in names} == {"exited"}
    run_as_cron_does(lines()[-1])
    assert [inspected(rootless, name)["State"]["Status"] for name in names] == ["running", "running", "exited", "exited"]
    rootless("disable", "--project", "shop")
    assert b"project:shop" not in b"".join(lines())
    rootless("compose", "-p", "shop", "down", "-t", "0", cwd=tmp_path)


def test_all_with_a_policy(rootless: Rootless, busybox_image: str, table: None) -> None:
    for name, policy in (("back", "always"), ("stays", "no")):
        rootless("run", "-d", "--name", name, "--restart", policy, "--network", "none", "busybox", "sleep", "1000")
        os.kill(inspected(rootless, name)["State"]["MonitorPid"], 9)
        wait_until(lambda name=name: inspected(rootless, name)["State"]["Status"] == "exited", "the end")  # type: ignore[misc]
    rootless("enable", "--policies")
    run_as_cron_does(lines()[-1])
    assert inspected(rootless, "back")["State"]["Status"] == "running"
    assert inspected(rootless, "stays")["State"]["Status"] == "exited"
    rootless("disable", "--policies")
    rootless("rm", "-f", "back", "stays")


def test_paths_with_blanks_percent_signs_and_quotes(
    rootless: Rootless, busybox_image: str, table: None, tmp_path: Path
) -> None:
    root = tmp_path / "50% of 'all'"
    odd = {"ROOTLESS_ROOT": str(root)}
    archive = tmp_path / "busybox.tar"
    rootless("save", "-o", archive, "busybox")
    rootless("load", "-i", archive, env=odd)
    rootless("create", "--name", "odd", "--network", "none", "busybox", "sleep", "1000", env=odd)
    rootless("enable", "odd", env=odd)
    run_as_cron_does(lines()[-1])
    assert "Up" in rootless("ps", env=odd).stdout
    rootless("disable", "odd", env=odd)
    rootless("rm", "-f", "odd", env=odd)
    rootless("system", "prune", "--all", "--force", env=odd)
    remove_tree(root)


def test_without_crontab(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    need(not autostart.uses_systemd(), "a host without systemd")
    rootless("create", "--name", "web", "--network", "none", "busybox", "true")
    nothing = {"PATH": str(tmp_path)}
    told = rootless("enable", "web", env=nothing, status=1).stderr
    assert "neither systemd nor crontab" in told
    assert "hint: start it by whatever runs at boot" in told
    rootless("rm", "web")


def test_a_crontab_that_cannot_be_read_is_not_taken_for_an_empty_one(
    rootless: Rootless, busybox_image: str, tmp_path: Path
) -> None:
    """As cron.deny has it; writing would be the loss of all that was there."""
    need(not autostart.uses_systemd(), "a host without systemd")
    program = tmp_path / "crontab"
    program.write_text(f'#!/bin/sh\n[ "$1" = -l ] && {{ echo "You may not use crontab" >&2; exit 1; }}\ntouch {tmp_path}/lost\n')
    program.chmod(0o755)
    rootless("create", "--name", "web", "--network", "none", "busybox", "true")
    told = rootless("enable", "web", env={"PATH": f"{tmp_path}:{SYSTEM_PATH}"}, status=1).stderr
    assert "crontab refuses: You may not use crontab" in told
    assert not (tmp_path / "lost").exists()
    rootless("rm", "web")


def test_what_a_crontab_cannot_hold() -> None:
    for path in ("a\nb", "a\\%b"):
        with pytest.raises(InvalidInput):
            crontab.line(["env", f"ROOTLESS_ROOT={path}"], "# mark")


@pytest.mark.own_store
def test_a_reset_takes_our_lines_along_and_no_other(
    rootless: Rootless, busybox_image: str, table: None, tmp_path: Path
) -> None:
    subprocess.run(["crontab", "-"], input=THEIRS + b"\n", check=True)
    other = Rootless(tmp_path / "other 100%", rootless.runtime)
    other.argv = rootless.argv
    other("enable", "--policies")
    of_other = lines()[-1:]
    rootless("create", "--name", "web", "--network", "none", "busybox", "true")
    rootless("enable", "web")
    assert len(lines()) == len(THEIRS.split(b"\n")) + 2
    assert rootless("system", "reset", "--force").stdout == "disabled: crontab\n"
    assert lines() == [*THEIRS.split(b"\n"), *of_other]
    assert other("system", "reset", "--force").stdout == "disabled: crontab\n"
    assert lines() == THEIRS.split(b"\n")
