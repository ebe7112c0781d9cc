"""Real root, and containers of other users: what Slurm does with `state`, `kill` and `delete`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.account import SYSTEM_PATH
from tests.need import need, need_real_ids
from tests.oci.bundles import Runtime

_HOST = "echo ready; exec cat"


@pytest.fixture
def host() -> Iterator[list[str]]:
    """A host on which we are root, with other users: the words before a command there."""
    need_real_ids("the other users are of them")
    argv = ["unshare", "--user", "--map-root-user", "--map-auto", "--mount", "sh", "-euc", _HOST]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        need(process.stdout.readline() == "ready\n", "no user namespace with other users here")
        yield ["nsenter", "--preserve-credentials", "-t", str(process.pid), "--user", "--mount"]
        process.kill()


class Machine:
    """Commands on the `host`, as root or as another user there."""

    def __init__(self, host: list[str]) -> None:
        self._host = host

    def __call__(self, *argv: str, status: int = 0, user: str = "") -> str:
        who = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
        environment = {"PATH": SYSTEM_PATH, "XDG_RUNTIME_DIR": "/root/nowhere"}
        words = [*self._host, *who, *argv]
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, f"{argv}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def test_what_lies_in_a_directory_of_a_users_is_his_word(oci: Runtime, host: list[str], directory: Path) -> None:
    """Between two looks of root's he can put his own directory in the place of one that is root's: the hook ran as root then."""
    call = Machine(host)
    state, said = directory / "of-games" / "state", directory / "said"
    (state / "box").mkdir(parents=True)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"id -u >{said}"]}
    (state / "box" / "config.json").write_text(json.dumps({"hooks": {"poststop": [hook]}}))
    numbers = {"pid": 1, "start_time": 1, "annotations": {}}
    texts = {"id": "box", "version": "1.0.2", "boot": "", "bundle": "/", "rootfs": "/", "created": "", "owner": "0", "cgroup": ""}
    (state / "box" / "state.json").write_text(json.dumps({**numbers, **texts}))
    call("sh", "-c", f"chmod 755 {directory}; touch {said}; chmod 700 {state}; chown 5:5 {state.parent}")
    for path in (state, directory / "link" / "state"):
        if path != state:
            (directory / "link").symlink_to(state.parent)
        call(str(oci.program), f"--root={path}", "delete", "box", status=1)
        call(str(oci.program), f"--root={path}", "run", "-b", str(oci.bundle), "other", status=1)
    assert said.read_text() == ""
    assert (state / "box" / "state.json").exists()
    call("chown", "0:0", str(state.parent))
    call(str(oci.program), f"--root={directory / 'link' / 'state'}", "delete", "box")
    assert said.read_text() == "0\n"


def test_what_a_user_says_is_shown_without_control_characters(oci: Runtime, host: list[str], directory: Path) -> None:
    """On root's terminal: the fields of his containers, and what his hooks print."""
    call, state = Machine(host), directory / "of-games"
    (state / "box").mkdir(parents=True)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "printf 'told\\033]0;x\\007'; exit 1"]}
    (state / "box" / "config.json").write_text(json.dumps({"hooks": {"poststop": [hook]}}))
    numbers = {"pid": 1, "start_time": 1, "annotations": {}}
    texts = {"id": "box", "version": "1.0.2", "boot": "", "bundle": "/\33[2J", "rootfs": "/", "created": "\n\33c", "owner": "0"}
    (state / "box" / "state.json").write_text(json.dumps({**numbers, **texts, "cgroup": ""}))
    call("sh", "-c", f"chmod 755 {directory}; chmod 700 {state}; chown -R 5:5 {state}")
    listed = call(str(oci.program), f"--root={state}", "list")
    deleted = call(str(oci.program), f"--root={state}", "delete", "box")
    assert "box" in listed
    assert len(listed.splitlines()) == 2
    assert "told" in deleted
    assert "\33" not in listed + deleted
    call("chown", "-R", "0:0", str(directory))


def test_who_asks_as_root_makes_nothing(oci: Runtime, host: list[str], directory: Path) -> None:
    """A directory that root makes in the user's place, because it asked first, keeps him out; and he says by links where it is made."""
    call = Machine(host)
    call("sh", "-c", f"chmod 1777 {directory}; mkdir {directory}/of-games; chown 5:5 {directory}/of-games")
    for state in (directory / "none", directory / "of-games" / "none"):
        for command in (["state", "box"], ["kill", "-a", "box", "KILL"], ["delete", "box"]):
            assert "container box does not exist" in call(str(oci.program), f"--root={state}", *command, status=1)
        call(str(oci.program), f"--root={state}", "delete", "--force", "box")
    call(str(oci.program), f"--root={directory / 'none'}", "list")
    assert not (directory / "none").exists()
    call(str(oci.program), f"--root={directory / 'of-games' / 'none'}", "list")
    assert call("find", str(directory / "of-games"), "!", "-user", "5") == ""
    call("chown", "-R", "0:0", str(directory))


def test_root_does_it_as_the_user(oci: Runtime, host: list[str], directory: Path) -> None:
    state, call = directory / "of-games", Machine(host)
    bundle = oci.bundle
    spec = {**oci.spec, "process": {**oci.spec["process"], "args": ["sleep", "1000"]}}
    spec["root"] = {"path": str(oci.rootfs)}
    for ids in ("uidMappings", "gidMappings"):
        spec["linux"][ids] = [{"containerID": 0, "hostID": 5, "size": 1}]
    (bundle / "config.json").write_text(json.dumps(spec))
    said = directory / "said"
    call("sh", "-c", f"chmod 755 {directory}; mkdir {state}; touch {said}; chown -R 5:5 {state} {said} {bundle} {oci.rootfs}")
    ours = (str(oci.program), f"--root={state}")
    program = " ".join(ours)
    call("sh", "-c", f"{program} create -b {bundle} box >{said} 2>&1 || cat {said} >&2; {program} start box", user="5")
    assert json.loads(call(*ours, "state", "box"))["status"] == "running"
    link = directory / "link"
    call("sh", "-c", f"ln -s {state} {link}; chown -h 5 {link}")
    call(str(oci.program), f"--root={link}", "state", "box", status=1)
    call(*ours, "kill", "box", "KILL")
    call(*ours, "delete", "--force", "box")
    assert call("ls", str(state)) == ""
    # What it made there as root would be root's.
    assert call("find", str(state), "!", "-user", "5") == ""
    call("chown", "-R", "0:0", str(directory))
