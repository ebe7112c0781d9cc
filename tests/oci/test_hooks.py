"""What hooks are given, and what becomes of a container whose hook fails."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oci.bundles import Runtime


def say(script: str) -> list[dict[str, Any]]:
    return [{"path": "/bin/sh", "args": ["sh", "-uc", script]}]


def words(text: str) -> str:
    """What a failed hook said, of our error or runc's."""
    return text.split("<")[1].split(">")[0]


# In createContainer runc's hooks see the process's environment, by accident of where they are started.
POINTS = ["prestart", "createRuntime", "startContainer", "poststart"]


@pytest.mark.parametrize("point", POINTS)
def test_without_env_a_hook_has_the_runtimes_or_the_processs(oci: Runtime, runc: Runtime, point: str) -> None:
    seen = []
    for runtime in (runc, oci):
        runtime.spec["process"]["env"] = ["PATH=/bin", "TERM=xterm", "HOME=/data"]
        runtime.spec["hooks"] = {point: say('echo "<$HOME $PATH>"; exit 1')}
        seen.append(words(runtime.run("sleep", "30", status=1)))
    assert seen[1] == seen[0]


def test_an_empty_env_is_empty(oci: Runtime) -> None:
    oci.spec["hooks"] = {"createRuntime": [{**say('echo "<${HOME-none}>"; exit 1')[0], "env": []}]}
    assert words(oci.run("true", status=1)) == "none"


@pytest.mark.parametrize("detach", [(), ("--detach",)], ids=["foreground", "detached"])
def test_a_poststart_hook_that_fails_ends_what_runs(oci: Runtime, detach: tuple[str, ...]) -> None:
    """Error, stop, destroy: specification 1.3, Lifecycle 9."""
    stopped = oci.bundle / "stopped"
    oci.spec["process"]["args"] = ["sleep", "60"]
    oci.spec["hooks"] = {"poststart": say("echo no; exit 3"), "poststop": say(f"/bin/cat > {stopped}")}
    oci.write()
    with oci.unchanged():
        oci.state.mkdir(exist_ok=True)
        failed = oci("run", *detach, "--bundle", str(oci.bundle), "c", status=1)
        assert "hooks.poststart[0]: /bin/sh failed with exit status 3: no" in failed.stderr
    assert '"stopped"' in stopped.read_text()


def test_a_poststart_hook_that_fails_at_start(oci: Runtime) -> None:
    oci.spec["hooks"] = {"poststart": say("exit 3")}
    oci.create("sleep", "60")
    assert "hooks.poststart[0]" in oci("start", "c", status=1).stderr
    assert "does not exist" in oci("state", "c", status=1).stderr


def test_an_error_after_start_is_told_by_start(oci: Runtime) -> None:
    """A capability that cannot be inherited shows only when the process takes its own."""
    oci.spec["process"]["capabilities"]["inheritable"] = ["CAP_NET_RAW"]
    oci.create("sleep", "60")
    assert "confine: Operation not permitted" in oci("start", "c", status=1).stderr
