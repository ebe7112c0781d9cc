"""From a request to a record to an OCI configuration: Docker's defaults, nothing silently dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rootless.cli.commands.container.run import COMMAND
from rootless.cli.flags.container_request import to_request
from rootless.cli.grammar.parser import parse
from rootless.engine.lifecycle import create, create_rules, spec
from rootless.engine.state.config import ContainerConfig
from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.runtime.process.capabilities import DEFAULT_CAPABILITIES
from rootless.storage.images import Image

EVERY = (*DEFAULT_CAPABILITIES, "CAP_SYS_ADMIN", "CAP_NET_ADMIN")
CONFIG = {
    "Entrypoint": ["/entry"],
    "Cmd": ["default"],
    "Env": ["PATH=/bin", "A=image"],
    "WorkingDir": "/srv",
    "User": "www",
    "Labels": {"from": "image"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "SIGQUIT",
}


def record(*words: str, config: dict[str, Any] | None = None) -> ContainerConfig:
    """The record of `run WORDS` with an image of that configuration."""
    image = Image("sha256:" + "1" * 64, ("x",), ("sha256:" + "2" * 64,), {"config": config or {}}, {}, 0)
    request = to_request(parse(COMMAND, list(words)))
    made = create.make_record(request, image)
    create_rules.check(made)
    return made


def configuration(*words: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    """The OCI configuration of `run WORDS`."""
    circumstances = spec.StartFacts("/c", "/v", {}, EVERY)
    return spec.build(record(*words, config=config), circumstances)


def _mount_at(found: dict[str, Any], path: str) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = found["mounts"]
    (entry,) = [entry for entry in mounts if entry["destination"] == path]
    return entry


def test_image_defaults() -> None:
    made = record("x", config=CONFIG)
    assert (made["entrypoint"], made["cmd"]) == (["/entry"], ["default"])
    assert (made["workdir"], made["user"], made["stop_signal"]) == ("/srv", "www", "SIGQUIT")
    assert "PATH=/bin" in made["env"]
    assert made["labels"] == {"from": "image"}
    assert made["network"]["exposed"] == ["80/tcp"]
    assert [mount["target"] for mount in made["mounts"]] == ["/data"]


def test_command_line_wins() -> None:
    made = record(
        "-e", "A=mine", "-w", "/w", "-u", "1:2", "-l", "b=c", "--stop-signal", "9", "-v", "/tmp:/data", "x", "other",
        config=CONFIG,
    )  # fmt: skip
    assert made["cmd"] == ["other"]
    assert (made["workdir"], made["user"], made["stop_signal"]) == ("/w", "1:2", "9")
    assert "A=mine" in made["env"]
    assert made["labels"] == {"from": "image", "b": "c"}
    assert [mount["type"] for mount in made["mounts"]] == ["bind"]


def test_entrypoint_replaced_drops_the_images_command() -> None:
    made = record("--entrypoint", "sh", "x", config=CONFIG)
    assert (made["entrypoint"], made["cmd"]) == (["sh"], [])
    made = record("--entrypoint", "", "x", "ls", config=CONFIG)
    assert (made["entrypoint"], made["cmd"]) == ([], ["ls"])


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["x"], InvalidInput),
        (["-w", "relative", "x", "c"], InvalidInput),
        (["--mount", "type=bind,src=/no/such/path,dst=/a", "x", "c"], NotFound),
        (["-v", "/proc/no/such:/a", "x", "c"], InvalidInput),
        (["--device", "/dev/nosuch", "x", "c"], NotFound),
        (["--network", "name=bridge,ip=10.0.0.1", "x", "c"], InvalidInput),
        (["-p", "80:80", "--network", "container:y", "x", "c"], InvalidInput),
        (["-v", "/tmp:/a", "-v", "/usr:/a", "x", "c"], InvalidInput),
        (["--hostname", "a b", "x", "c"], InvalidInput),
        (["--name", "-x", "x", "c"], InvalidInput),
        (["--security-opt", "nope=1", "x", "c"], InvalidInput),
        (["--log-opt", "color=red", "x", "c"], InvalidInput),
        (["--log-opt", "max-file=3", "x", "c"], InvalidInput),
        (["--log-driver", "syslog", "x", "c"], NotSupported),
        (["--pid", "nosuch", "x", "c"], InvalidInput),
        (["--umask", "999", "x", "c"], InvalidInput),
    ],
)
def test_refused_at_create(words: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        record(*words)


def test_capability_arithmetic() -> None:
    def effective(*words: str) -> list[str]:
        return list(configuration(*words, "x", "c")["process"]["capabilities"]["effective"])

    assert effective() == list(DEFAULT_CAPABILITIES)
    assert effective("--cap-drop", "all") == []
    assert effective("--cap-drop", "ALL", "--cap-add", "chown") == ["CAP_CHOWN"]
    assert "CAP_CHOWN" not in effective("--cap-drop", "CHOWN")
    assert effective("--privileged") == list(EVERY)
    assert effective("--cap-add", "ALL") == list(EVERY)
    assert "CAP_SYS_ADMIN" in effective("--cap-add", "CAP_SYS_ADMIN")
    with pytest.raises(InvalidInput):
        effective("--cap-add", "NOSUCH")


def test_walls_are_up_unless_taken_down(tmp_path: Path) -> None:
    linux = configuration("x", "c")["linux"]
    assert "/proc/kcore" in linux["maskedPaths"]
    assert linux["seccomp"]
    assert {"type": "user"} in linux["namespaces"]
    assert "seccomp" not in configuration("--security-opt", "seccomp=unconfined", "x", "c")["linux"]
    assert configuration("--security-opt", "unmask=ALL", "x", "c")["linux"]["maskedPaths"] == []
    assert (
        configuration("--security-opt", "no-new-privileges", "x", "c")["process"]["noNewPrivileges"] is True
    )
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW"}))
    found = configuration("--security-opt", f"seccomp={profile}", "x", "c")
    assert found["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ALLOW"
    for text in ("{}", "nonsense", "[]"):
        profile.write_text(text)
        with pytest.raises(InvalidInput):
            configuration("--security-opt", f"seccomp={profile}", "x", "c")


def test_user_mounts_replace_ours() -> None:
    assert _mount_at(configuration("x", "c"), "/etc/hosts")["source"] == "/c/hosts"
    assert (
        _mount_at(configuration("-v", "/etc/hosts:/etc/hosts:ro", "x", "c"), "/etc/hosts")["source"]
        == "/etc/hosts"
    )
    assert "size=1048576" in _mount_at(configuration("--shm-size", "1m", "x", "c"), "/dev/shm")["options"]
    tmpfs = _mount_at(configuration("--tmpfs", "/t:exec", "x", "c"), "/t")["options"]
    assert "exec" in tmpfs
    assert "noexec" not in tmpfs
    assert "nosuid" in tmpfs


def test_namespaces() -> None:
    def kinds(*words: str) -> set[str]:
        return {entry["type"] for entry in configuration(*words, "x", "c")["linux"]["namespaces"]}

    assert kinds() == {"mount", "pid", "ipc", "uts", "network", "cgroup", "user"}
    hosts = ("--pid=host", "--ipc=host", "--uts=host", "--network=host", "--cgroupns=host", "--userns=host")
    assert kinds(*hosts) == {"mount"}


def test_read_only_device_is_refused_since_it_cannot_be_enforced() -> None:
    with pytest.raises(NotSupported):
        configuration("--device", "/dev/null:/dev/x:r", "x", "c")
