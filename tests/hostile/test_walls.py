"""inspect shows every wall, as it is and not as it was meant."""

from __future__ import annotations

import json

from tests.harness.command import Rootless


def walls(rootless: Rootless, *options: str, image: str) -> dict[str, tuple[str, str]]:
    rootless("run", "-d", "--name", "box", *options, image, "sleep", "60")
    (found,) = json.loads(rootless("inspect", "box").stdout)
    rootless("rm", "-f", "box")
    return {wall["Name"]: (wall["State"], wall["Why"]) for wall in found["Walls"]}


def test_defaults(rootless: Rootless, busybox_image: str) -> None:
    found = walls(rootless, "--network", "none", image=busybox_image)
    for kind in ("user", "mount", "pid", "network", "ipc", "uts", "cgroup"):
        assert found[f"{kind} namespace"][0] == "on"
    for name in ("seccomp", "capabilities", "no_new_privs", "masked paths", "keyring"):
        assert found[name][0] == "on"
    assert found["landlock"] == ("off", "not needed: network and pids are its own")
    assert all(state in ("on", "off", "not available") for state, _ in found.values())
    assert all(why for state, why in found.values() if state != "on")


def test_what_was_opened_says_so(rootless: Rootless, busybox_image: str) -> None:
    found = walls(rootless, "--network", "host", "--privileged", image=busybox_image)
    assert found["network namespace"] == ("off", "the host's")
    for name in ("seccomp", "capabilities", "no_new_privs", "masked paths", "landlock"):
        assert found[name][0] == "off"
        assert "--privileged" in found[name][1]
    found = walls(rootless, "--network", "host", "--security-opt", "seccomp=unconfined", image=busybox_image)
    assert found["seccomp"] == ("off", "--security-opt seccomp=unconfined")
    assert found["landlock"][0] in ("on", "not available")
