"""Real root, and containers of other users: what Slurm does with `state`, `kill` and `delete`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.account import SYSTEM_PATH
from tests.need import need
from tests.oci.bundles import Runtime

_HOST = "echo ready; exec cat"


@pytest.fixture
def host() -> Iterator[list[str]]:
    """A host on which we are root, with other users: the words before a command there."""
    argv = ["unshare", "--user", "--map-root-user", "--map-auto", "--mount", "sh", "-euc", _HOST]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        need(process.stdout.readline() == "ready\n", "no user namespace with other users here")
        yield ["nsenter", "--preserve-credentials", "-t", str(process.pid), "--user", "--mount"]
        process.kill()


def test_root_does_it_as_the_user(oci: Runtime, host: list[str], directory: Path) -> None:
    state = directory / "of-games"
    environment = {"PATH": SYSTEM_PATH, "XDG_RUNTIME_DIR": "/root/nowhere"}

    def call(*argv: str, status: int = 0, user: str = "") -> str:
        who = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
        words = [*host, *who, *argv]
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, f"{argv}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout

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
