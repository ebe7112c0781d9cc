"""The tables of Docker's types against the schema of Docker's API (docker_api_v1.51.json, taken from moby's swagger.yaml)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rootless.engine.views.types import container, gotypes, image, system

SCHEMA: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "docker_api_v1.51.json").read_text("utf-8")
)
TYPES = {**container.TYPES, **image.TYPES, **system.TYPES}
OURS = {
    "Address": "network.Address",
    "Commit": "system.Commit",
    "ContainerConfig": "container.Config",
    "ContainerInspectResponse": "container.InspectResponse",
    "ContainerState": "container.State",
    "ContainerdInfo": "system.ContainerdInfo",
    "DeviceInfo": "system.DeviceInfo",
    "DeviceMapping": "container.DeviceMapping",
    "DeviceRequest": "container.DeviceRequest",
    "DriverData": "storage.DriverData",
    "EndpointIPAMConfig": "network.EndpointIPAMConfig",
    "EndpointSettings": "network.EndpointSettings",
    "EventActor": "events.Actor",
    "EventMessage": "events.Message",
    "FirewallInfo": "system.FirewallInfo",
    "Health": "container.Health",
    "HealthConfig": "container.HealthConfig",
    "HealthcheckResult": "container.HealthcheckResult",
    "HostConfig": "container.HostConfig",
    "ImageConfig": "image.Config",
    "ImageInspect": "image.InspectResponse",
    "IndexInfo": "registry.IndexInfo",
    "Mount": "mount.Mount",
    "MountPoint": "container.MountPoint",
    "NetworkSettings": "container.NetworkSettings",
    "OCIDescriptor": "ocispec.Descriptor",
    "OCIPlatform": "ocispec.Platform",
    "PluginsInfo": "system.PluginsInfo",
    "PortBinding": "nat.PortBinding",
    "RegistryServiceConfig": "registry.ServiceConfig",
    "Resources": "container.HostConfig",
    "RestartPolicy": "container.RestartPolicy",
    "SwarmInfo": "swarm.Info",
    "SystemInfo": "system.dockerInfo",
    "SystemVersion": "types.Version",
    "ThrottleDevice": "blkiodev.ThrottleDevice",
    "Volume": "volume.Volume",
}


def kind(word: str) -> str:
    """JSON's kind of a type of ours."""
    word = word.removeprefix("*")
    if word.startswith("[") and not word.startswith("[]byte"):
        return "array"
    if word in ("string", "bool"):
        return {"string": "string", "bool": "boolean"}[word]
    return "integer" if word.startswith(("int", "uint")) else "object"


@pytest.mark.parametrize("name", sorted(SCHEMA))
def test_every_field_of_the_schema_is_there_with_its_type(name: str) -> None:
    fields = TYPES[OURS[name]].by_name
    wrong = {
        field: (wanted, kind(fields[field].type) if field in fields else "absent")
        for field, wanted in SCHEMA[name].items()
        if field not in fields or kind(fields[field].type) != wanted
    }
    assert not wrong, "field: (the schema's, ours)"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_type_named_is_a_type(name: str) -> None:
    def zero(word: str) -> Any:
        return gotypes.build({**TYPES, "x": gotypes.Struct("x", f"X {word}")}, "x", {"X": None})["X"]

    for field in TYPES[name].fields:
        zero(field.type.removeprefix("*"))
        zero(field.type.removeprefix("[]").removeprefix("map[string]").removeprefix("*"))


SMALL = gotypes.table(
    a__A="""
        ID:Id string
        N int
        B bool omitempty
        L []string
        M map[string]string
        S a.B
        P *a.B omitempty
        PP *int64
        Many []*a.B
        By map[string][]a.B
    """,
    a__B="X string\nY []string omitempty",
)


def test_what_is_not_set_has_gos_zero_value() -> None:
    made = gotypes.build(SMALL, "a.A", {})
    assert gotypes.plain(made) == {
        "Id": "", "N": 0, "L": None, "M": None, "S": {"X": ""}, "PP": None, "Many": None, "By": None,
    }  # fmt: skip
    assert list(made) == ["Id", "N", "B", "L", "M", "S", "P", "PP", "Many", "By"]
    assert (made["L"], made["M"], made["P"]) == ([], {}, None)


def test_values_are_kept_and_what_is_ours_stands_behind() -> None:
    data = {"Ours": [1], "Id": "x", "P": {"X": "p"}, "PP": 0, "By": {"k": None, "j": [{"X": "1"}]}, "B": True}
    plain = gotypes.plain(gotypes.build(SMALL, "a.A", data))
    assert plain == {
        "Id": "x", "N": 0, "B": True, "L": None, "M": None, "S": {"X": ""}, "P": {"X": "p"}, "PP": 0,
        "Many": None, "By": {"j": [{"X": "1"}], "k": None}, "Ours": [1],
    }  # fmt: skip
    assert list(plain)[-1] == "Ours"


@pytest.mark.parametrize("wrong", ["text", 5, True, [1, None], {"a": 1}, None, 1.5])
def test_what_an_image_says_of_another_type_is_nothing(wrong: Any) -> None:
    """The configuration of an image is a stranger's."""
    fields = image.TYPES["image.Config"].fields
    made = gotypes.build(image.TYPES, "image.Config", {field.name: wrong for field in fields})
    for field in fields:
        assert isinstance(made[field.name], (str, list, dict, bool)) or made[field.name] is None
        if field.type == "string":
            assert isinstance(made[field.name], str)
        if field.type == "[]string":
            assert all(isinstance(item, str) for item in made[field.name])
    json.dumps(gotypes.plain(made))
