"""An image's fields written in the grammars of the command line: none of them is read as such.

VOLUME ["~:/h"] once mounted the caller's home. Each word here means something of the host, or of another container,
where a user types it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rootless.cli.commands.container.run import COMMAND
from rootless.cli.flags.container_request import to_request
from rootless.cli.grammar.parser import parse
from rootless.engine.lifecycle import create, create_rules, spec
from rootless.engine.options.signals import parse_signal
from rootless.errors import InvalidInput, RootlessError
from rootless.image import run_config
from rootless.image.run_config import volume_path
from rootless.runtime.process.capabilities import DEFAULT_CAPABILITIES
from rootless.storage.images import Image
from rootless.words import ImageWord
from tests.harness import images
from tests.harness.command import Rootless
from tests.image.strange_registry import StrangeRegistry

WORDS = (
    "~:/h", "~/.ssh:/h", "~", ".:/h", "..:/h", "./.:/h", "/:/h", "/etc:/h", "/etc:/h:ro", "/etc:/h:rshared,ro", "precious:/v",
    "precious:/v:nocopy", "precious", ":", "::", ":/h", "/h:", "type=bind,src=/etc,dst=/h", "type=volume,src=precious,dst=/v",
    '"type=bind,src=/etc",dst=/h', "/h:size=1g", "/h:exec,suid,dev", "8080:80", "127.0.0.1:8080:80/tcp", "[::1]:80:80",
    "published=8080,target=80", "80-90:80-90", "/dev/kmsg:/dev/null:rwm", "HOSTSECRET", "HOSTSECRET=", "=x", "a:b:c", "0:0:0",
    "container:precious", "host", "nofile=1:2", "label=disable", "seccomp=unconfined", "@/etc/passwd", "$HOSTSECRET",
    "${HOSTSECRET}", "%h", "{{.Id}}", "../../../etc", "-v", "--privileged", "\n/etc:/h", "/h\n/etc:/h", " /etc:/h", "",
)  # fmt: skip
FIELDS: dict[str, Any] = {
    "Volumes": lambda word: {word: {}},
    "ExposedPorts": lambda word: {word: {}},
    "Env": lambda word: [word],
    "User": str,
    "WorkingDir": str,
    "Entrypoint": lambda word: [word],
    "Cmd": lambda word: [word],
    "StopSignal": str,
    "Labels": lambda word: {word: word},
    "Healthcheck": lambda word: {"Test": [word, word]},
    "Shell": lambda word: [word],
    "OnBuild": lambda word: [word],
    "Hostname": str,
    "Domainname": str,
    "MacAddress": str,
    "Binds": lambda word: [word],
    "Mounts": lambda word: [{"Type": "bind", "Source": word, "Target": "/h"}],
}


def configuration(field: str, word: str) -> dict[str, Any]:
    """The OCI configuration of `run -P IMAGE x`, whose image has `word` as this field."""
    config = {"Cmd": ["x"], field: FIELDS[field](word)}
    image = Image("sha256:" + "1" * 64, ("x",), ("sha256:" + "2" * 64,), {"config": config}, {}, 0)
    asked = to_request(parse(COMMAND, ["-P", "x"]))
    record = create.make_record(asked, image)
    create_rules.check(record)
    assert record["network"]["ports"] == []
    assert not record["devices"]
    assert not record["security"]["privileged"]
    assert (record["pid"], record["ipc"], record["network"]["mode"]) == ("", "", "bridge")
    assert all(mount["type"] == "volume" and not mount["volume"] for mount in record["mounts"])
    return spec.build(record, spec.StartFacts("/c", "/v", {}, DEFAULT_CAPABILITIES))


@pytest.mark.parametrize("field", FIELDS)
def test_a_word_of_the_command_line_is_none(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTSECRET", "the-host's-own")
    for word in WORDS:
        is_read_as_data(field, word)


def is_read_as_data(field: str, word: str) -> None:
    try:
        found = configuration(field, word)
    except RootlessError:
        if field in ("Env", "Cmd", "Entrypoint", "Labels"):  # any text will do
            raise
        return
    usual = configuration("OnBuild", "x")  # of an image that says nothing
    more = [entry for entry in found["mounts"] if entry not in usual["mounts"]]
    if field == "Volumes":
        # One anonymous volume, its target what the word says as a path.
        (entry,) = more
        assert entry["source"] == "/v//_data"
        assert entry["destination"] == "/" + os.path.normpath("/" + word).lstrip("/")
    else:
        assert not more
    assert "the-host's-own" not in json.dumps(found)
    assert found["linux"] == usual["linux"]
    assert found["process"]["capabilities"] == usual["process"]["capabilities"]


@pytest.mark.parametrize(
    ("said", "path"),
    [("rel", "/rel"), ("a:b", "/a:b"), ("/a/../b/", "/b"), ("~", "/~"), ("//x", "/x"), ("../up", "/up")],
)
def test_a_volume_of_an_image_is_a_path_inside(said: str, path: str) -> None:
    assert volume_path(ImageWord(said)) == path


@pytest.mark.parametrize("said", ["", "/", ".", "/x/..", "/proc", "proc", "/proc/sys/kernel", "/x/../proc"])
def test_where_no_volume_can_be(said: str) -> None:
    with pytest.raises(InvalidInput, match="VOLUME"):
        volume_path(ImageWord(said))


def test_the_type_checker_keeps_them_apart(tmp_path: Path) -> None:
    """What once was parse_volume(key) does not get past mypy."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from rootless.engine.options.mounts import parse_mount, parse_tmpfs, parse_volume\n"
        "from rootless.image.run_config import read\n"
        "from rootless.network.ports import parse, parse_exposed\n"
        "config = read({})\n"
        "parse_volume(config.volumes[0])\n"
        "parse_mount(config.user)\n"
        "parse_tmpfs(config.workdir)\n"
        "parse(config.exposed)\n"
        "parse_exposed(config.exposed)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path}/cache", wrong],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if ": error: Argument 1 to" in line]
    assert [line.split(":")[1] for line in lines] == ["5", "6", "7", "8", "9"], done.stdout + done.stderr


def test_no_grammar_takes_a_word_of_an_image() -> None:
    """What a type checker is silenced about fails when it is run, too."""
    said = run_config.read({"User": "~:/h"})
    with pytest.raises((TypeError, AttributeError)):
        parse_signal(said.user)  # type: ignore[arg-type]


VOLUMES: dict[str, Any] = {
    "~:/h1": {}, "/etc:/h2:ro": {}, ".:/h3": {}, "..:/h4": {}, "precious:/h5": {}, "rel": {}, "/with:colon": {},
}  # fmt: skip
INSIDE = ["/etc:/h2:ro", "/rel", "/with:colon", "/.:/h3", "/..:/h4", "/precious:/h5", "/~:/h1"]
LOOK = ("sh", "-c", "grep -o '/_data [^ ]*' /proc/self/mountinfo | cut -d' ' -f2 | sort; ls -d /h1 /h2 /h3 /h5 2>/dev/null; true")


@pytest.mark.own_store
@pytest.mark.parametrize("door", ["load", "import", "pull"])
def test_nothing_of_the_host_or_of_another_volume_appears(rootless: Rootless, trap: Path, door: str) -> None:
    rootless("volume", "create", "precious")
    mine = rootless.root / "volumes/precious/_data"
    (mine / "of-another").write_text("x")
    layer = images.busybox_layer(images.static_busybox())
    name = "volumes:1"
    if door == "load":
        rootless("load", stdin=images.docker_archive(name, [layer], {"Volumes": VOLUMES, "Cmd": ["sh"]}))
    elif door == "import":
        change = [word for key in VOLUMES for word in ("--change", f"VOLUME {json.dumps([key])}")]
        rootless("import", *change, "-", name, stdin=layer)
    else:
        with StrangeRegistry() as registry:
            machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
            registry.add_image([layer], config={"Volumes": VOLUMES, "Cmd": ["sh"]}, architecture=machine, tag="1")
            name = f"{registry.address}/volumes:1"
            rootless("pull", name)
    done = rootless("run", "--name", "vv", "--network", "none", name, *LOOK, cwd=trap)
    assert sorted(done.lines) == sorted(INSIDE)
    (found,) = json.loads(rootless("inspect", "vv").stdout)
    assert {mount["Type"] for mount in found["Mounts"]} == {"volume"}
    assert "precious" not in {mount["Name"] for mount in found["Mounts"]}
    rootless("rm", "-v", "vv")
    assert [path.name for path in mine.iterdir()] == ["of-another"]


def test_an_image_of_a_project_keeps_no_container_from_coming_back(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """A project that is enabled starts its own containers; one that `run` made of an image that says so is none of these."""
    units = tmp_path / "config/systemd/user"
    units.mkdir(parents=True)
    (units / "rootless-project:shop.service").touch()
    labels = " ".join(f"com.docker.compose.{key}" for key in ("project=shop", "service=db", "config-hash=x"))
    rootless("create", "--name", "seed", busybox_image, "true")
    rootless("commit", "-q", "-c", f"LABEL {labels}", "seed", "mole:1")
    try:
        asked = ("--network", "none", "--restart", "always", "--stop-timeout", "0")
        rootless("run", "-d", "--name", "mole", *asked, "mole:1", "sleep", "1000")
        rootless("container", "stop-with-machine")
        told = rootless("container", "start-with-machine", env={"XDG_CONFIG_HOME": str(tmp_path / "config")})
        assert told.lines == ["mole"]
    finally:
        rootless("rm", "-f", "-t", "0", "seed", "mole", status=None)
        rootless("rmi", "mole:1", status=None)
