"""What scripts read of `inspect`, `version` and `info`: Docker's fields, set or not, in Docker's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.command import Rootless

UNSET = [
    ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
    ("{{if .Config.Healthcheck}}y{{else}}n{{end}}", "n"),
    ("{{.Config.Labels.zz}}", "<no value>"),
    ("{{.Config.Entrypoint}} {{.Config.OnBuild}} {{.Config.StdinOnce}}", "[] [] false"),
    ("{{.HostConfig.Links}} {{.HostConfig.VolumesFrom}} {{.HostConfig.Mounts}}", "[] [] []"),
    ("{{.HostConfig.DeviceRequests}} {{.HostConfig.OomKillDisable}} {{.HostConfig.ConsoleSize}}", "[] <nil> [0 0]"),
    ("{{.HostConfig.Isolation}}{{.HostConfig.ContainerIDFile}}{{.HostConfig.VolumeDriver}}|", "|"),
    ("{{.HostConfig.Runtime}} {{.HostConfig.RestartPolicy}}", "runc {on-failure 2}"),
    ("{{.HostConfig.LogConfig.Config}} {{.HostConfig.NetworkMode}}", "map[] bridge"),
    ("{{.NetworkSettings.MacAddress}}{{.NetworkSettings.Bridge}}{{.NetworkSettings.GlobalIPv6Address}}|", "|"),
    ("{{.NetworkSettings.IPPrefixLen}} {{.NetworkSettings.GlobalIPv6PrefixLen}}", "0 0"),
    ("{{.ExecIDs}}{{.MountLabel}}{{.ProcessLabel}}", "[]"),
    ("{{.SizeRootFs}}", "<nil>"),
    ("{{range .Mounts}}{{.Type}},{{.Name}},{{.Mode}},{{.RW}};{{end}}", "volume,data,z,true;bind,,ro,false;tmpfs,,,true;"),
    ("{{.Config.AttachStdout}} {{.Config.ExposedPorts}} {{.Config.Volumes}}", "true map[80/tcp:map[]] map[]"),
    ("{{eq .ID .Id}} {{.HostConfig.NanoCPUs}} {{.HostConfig.CPUShares}}", "true 0 0"),
    ("{{range $p, $b := .HostConfig.PortBindings}}{{$p}}{{end}}", "80/tcp"),
    ("{{len .GraphDriver.Data}} {{.Config.Image}}", "4 busybox:latest"),
]  # fmt: skip


@pytest.fixture
def made(rootless: Rootless, busybox_image: str) -> Iterator[Rootless]:
    rootless("create", "--name", "box", "-p", "80", "--restart", "on-failure:2",
             "-v", "data:/d", "-v", "/etc:/mnt:ro", "--tmpfs", "/t", busybox_image, "true")  # fmt: skip
    yield rootless
    rootless("rm", "-f", "-v", "box")
    rootless("volume", "rm", "-f", "data")


def test_every_field_is_there_whether_it_is_set_or_not(made: Rootless) -> None:
    for template, text in UNSET:
        assert made("inspect", "-f", template, "box").stdout == text + "\n", template


def test_mounts_stand_where_their_words_did(rootless: Rootless, busybox_image: str) -> None:
    """-v among Binds, --tmpfs in Tmpfs, --mount among Mounts: whoever makes a container anew reads them there."""
    rootless("create", "--name", "box", "-v", "/etc:/a:ro", "-v", "/anonymous", "--tmpfs", "/t",
             "--mount", "type=bind,src=/etc,dst=/b,readonly,bind-propagation=rslave",
             "--mount", "type=volume,src=data,dst=/c,volume-nocopy",
             "--mount", "type=tmpfs,dst=/u,tmpfs-size=1m,tmpfs-mode=1777", busybox_image, "true")  # fmt: skip
    host = json.loads(rootless("inspect", "-f", "{{json .HostConfig}}", "box").stdout)
    assert host["Binds"] == ["/etc:/a:ro"]
    assert list(host["Tmpfs"]) == ["/t"]
    assert host["Mounts"] == [
        {
            "Type": "bind",
            "Source": "/etc",
            "Target": "/b",
            "ReadOnly": True,
            "BindOptions": {"Propagation": "rslave"},
        },
        {"Type": "volume", "Source": "data", "Target": "/c", "VolumeOptions": {"NoCopy": True}},
        {"Type": "tmpfs", "Target": "/u", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1777}},
    ]
    assert rootless("inspect", "-f", "{{.Config.Volumes}}", "box").stdout == "map[/anonymous:map[]]\n"
    assert rootless("inspect", "-f", "{{len .Mounts}}", "box").stdout == "6\n"
    rootless("rm", "-v", "box")
    rootless("volume", "rm", "data")


def test_size_is_there_when_asked_for(made: Rootless) -> None:
    written, whole = map(
        int, made("inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "box").stdout.split()
    )
    assert 0 <= written < whole


def test_an_image_and_a_volume(made: Rootless) -> None:
    fields = (
        "Config.User",
        "Config.Entrypoint",
        "Config.ExposedPorts",
        "Config.Volumes",
        "Config.Healthcheck",
        "Variant",
    )
    template = "|".join("{{." + field + "}}" for field in fields)
    assert made("image", "inspect", "-f", template, "busybox").stdout == "|[]|map[]|map[]|<nil>|\n"
    assert made(
        "volume", "inspect", "-f", "{{.Labels}} {{.Options}} {{.UsageData}} {{.Scope}}", "data"
    ).stdout == ("map[] map[] <nil> local\n")


def test_the_default_network_has_dockers_name(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "web", busybox_image, "sleep", "1000")
    template = "{{.HostConfig.NetworkMode}} {{.NetworkSettings.Networks.bridge.IPAddress}} {{.NetworkSettings.IPPrefixLen}}"
    mode, address, length = rootless("inspect", "-f", template, "web").stdout.split()
    assert (mode, length) == ("bridge", "16")
    assert address in rootless("exec", "web", "ip", "addr", "show", "eth0").stdout
    assert rootless("inspect", "-f", "{{.Config.AttachStdout}}", "web").stdout == "false\n"
    assert rootless("ps", "--format", "{{.Networks}}").stdout == "bridge\n"
    assert rootless("ps", "-q", "--filter", "network=bridge").stdout
    rootless("rm", "-f", "web")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["inspect", "a/b:1"], "rootless: No such object: a/b:1\n"),
        (["inspect", "-f", "{{.Id}}", "nosuch"], "rootless: No such object: nosuch\n"),
        (["container", "inspect", "a/b:1"], "rootless: No such container: a/b:1\n"),
        (["image", "inspect", "A B"], "rootless: No such image: A B\n"),
        (["volume", "inspect", "a/b:1"], "rootless: get a/b:1: no such volume\n"),
        (["inspect", "--type", "volume", "a/b:1"], "rootless: get a/b:1: no such volume\n"),
    ],
)
def test_what_does_not_exist(rootless: Rootless, words: list[str], told: str) -> None:
    result = rootless(*words, status=None)
    assert (result.status, result.stderr.partition("hint:")[0]) == (1, told)


def test_what_was_found_is_shown_beside_what_was_not(made: Rootless) -> None:
    result = made("inspect", "-f", "{{.Name}}", "nosuch", "box", "a/b:1", status=None)
    assert (result.status, result.stdout) == (1, "/box\n")
    assert result.stderr == "rootless: No such object: nosuch\nrootless: No such object: a/b:1\n"
    assert [each["Name"] for each in json.loads(made("inspect", "nosuch", "box", status=1).stdout)] == [
        "/box"
    ]


def test_an_unknown_field_is_dockers_error(made: Rootless) -> None:
    result = made("inspect", "-f", "{{.Nope}}", "box", status=None)
    assert (result.status, result.stderr.splitlines()[0]) == (
        1, 'rootless: template parsing error: template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"',
    )  # fmt: skip
    assert made("inspect", "-f", "{{", "box", status=None).status == 64
    assert made("info", "-f", "{{.Nope}}", status=None).status == 1
    assert made("info", "-f", "{{nope}}", status=None).status == 64


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("{{.Client.Os}} {{.Client.Context}} {{.Client.APIVersion}} {{.Server.MinAPIVersion}}", "linux default 1.51 1.24"),
        ("{{.Server.Os}} {{.Server.APIVersion}} {{.Server.Experimental}}", "linux 1.51 false"),
        ("{{eq .Server.Version .Client.Version}} {{eq .Client.Arch .Server.Arch}}", "true true"),
        ("{{.Client.GitCommit}}{{.Server.GitCommit}}{{.Client.BuildTime}}|{{(index .Server.Components 0).Name}}", "|Engine"),
    ],
)  # fmt: skip
def test_version(rootless: Rootless, field: str, value: str) -> None:
    assert rootless("version", "--format", field).stdout == value + "\n"


def test_info(rootless: Rootless) -> None:
    """Of a store that holds nothing, too: a driver, an id, and all that scripts ask."""
    template = (
        "{{.Driver}} {{.Swarm.LocalNodeState}} {{.DefaultRuntime}} {{len .Runtimes}} {{.IndexServerAddress}}"
    )
    assert rootless("info", "-f", template).stdout == "overlay inactive runc 1 https://index.docker.io/v1/\n"
    found: dict[str, Any] = json.loads(rootless("info", "-f", "json").stdout)
    assert found["ID"]
    assert found["ID"] == json.loads(rootless("info", "-f", "json").stdout)["ID"]
    assert "name=rootless" in found["SecurityOptions"]
    assert found["ClientInfo"]["Context"] == "default"
    assert found["Plugins"]["Volume"] == ["local"]
    assert rootless("info", "-f", "{{.Labels}} {{.GenericResources}} {{.DriverStatus}}").stdout.startswith(
        "[] [] [["
    )
