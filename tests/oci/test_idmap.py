"""Mounts that show other owners than their file system holds (config.md: mounts[].uidMappings, idmap)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.oci.bundles import Runtime
from tests.oci.test_exec_and_joining import join_spec
from tests.oci.test_nested import inside

SWAPPED = [{"containerID": 0, "hostID": 5, "size": 1}, {"containerID": 5, "hostID": 0, "size": 1}]
LOOK = "stat -c '%u %g' /x; touch /x/made; stat -c '%u %g' /x/made"


def all_ids(oci: Runtime) -> None:
    """All of this account's ids, as the runtime finds them."""
    del oci.spec["linux"]["uidMappings"], oci.spec["linux"]["gidMappings"]


def own_maps(oci: Runtime) -> dict[str, list[list[int]]]:
    """uid_map and gid_map of such a container, as (inside, outside, size)."""
    text = oci.run("sh", "-c", "cat /proc/self/uid_map; echo; cat /proc/self/gid_map")
    parts = [[[int(n) for n in line.split()] for line in part.splitlines() if line] for part in text.split("\n\n")]
    return dict(zip(("uid", "gid"), parts, strict=True))


def shifted(maps: dict[str, list[list[int]]]) -> dict[str, Any]:
    """A tmpfs whose root 0 is shown as the container's id 5 and the reverse; hostIDs are the caller's."""
    entry: dict[str, Any] = {"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["mode=777", "idmap"]}
    for kind, extents in maps.items():
        inside_5 = next(outside + 5 - first for first, outside, size in extents if first <= 5 < first + size)
        inside_0 = next(outside for first, outside, _ in extents if first == 0)
        entry[f"{kind}Mappings"] = [
            {"containerID": 0, "hostID": inside_5, "size": 1},
            {"containerID": 5, "hostID": inside_0, "size": 1},
        ]
    return entry


@pytest.mark.real_ids("a mapping has two")
@pytest.mark.parametrize("words", [["mode=777", "idmap"], ["mode=777", "ridmap", "noexec"], ["mode=777"]])
def test_a_tmpfs_of_an_ordinary_user(oci: Runtime, words: list[str]) -> None:
    """The root of the file system is 0's and shown as 5's; what 0 makes is 0's to see."""
    all_ids(oci)
    entry = shifted(own_maps(oci))
    oci.spec["mounts"].append(entry | {"options": words})
    told = oci.run("sh", "-c", f"{LOOK}; grep ' /x ' /proc/self/mountinfo")
    *owners, mount = told.splitlines()
    assert owners == ["5 5", "0 0"]
    assert "idmapped" in mount
    assert ("noexec" in mount) == ("noexec" in words)
    oci.spec["mounts"][-1] = {"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["mode=777"]}
    assert oci.run("sh", "-c", LOOK).splitlines() == ["0 0", "0 0"], "it is the mapping that does it"


def refused(oci: Runtime, entry: dict[str, Any], *said: str) -> None:
    """Both names in the error: where in the configuration, and why; nothing is left."""
    mounts = oci.spec["mounts"]
    oci.spec["mounts"] = [*mounts, entry]
    told = oci.run("true", status=1)
    oci.spec["mounts"] = mounts
    for word in (f"config.json: mounts[{len(mounts)}]", *said):
        assert word in told, told
    assert json.loads(oci("list", "--format", "json").stdout or "null") in (None, [])


def test_what_an_ordinary_user_cannot_have(oci: Runtime) -> None:
    all_ids(oci)
    maps: dict[str, Any] = {"uidMappings": SWAPPED, "gidMappings": SWAPPED}
    bind = {"destination": "/x", "type": "bind", "source": "/etc"}
    for words in (["bind", "idmap"], ["rbind", "ridmap"], ["bind"]):
        refused(oci, {**bind, **maps, "options": words}, "idmap", "belongs to another user namespace")
    refused(oci, {**bind, "options": ["bind", "idmap"]}, "idmap", "belongs to another user namespace")
    tmpfs = {"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["idmap"]}
    refused(oci, tmpfs, ".uidMappings: is required")
    refused(oci, {**tmpfs, "uidMappings": SWAPPED}, ".gidMappings: is required")
    refused(oci, {**tmpfs, **maps, "options": ["tmpcopyup"]}, ".options", "without tmpcopyup")
    refused(oci, {**tmpfs, **maps, "type": "mqueue", "source": "mqueue"}, ".uidMappings: only bind mounts and tmpfs")
    refused(oci, {"destination": "/x", "type": "proc", "source": "proc", "options": ["idmap"]}, ".options: only bind")
    strange = [{"containerID": 0, "hostID": 4294967000, "size": 1}]
    refused(oci, {**tmpfs, "uidMappings": strange, "gidMappings": strange}, ".uidMappings[0].hostID: 4294967000 is none")


@pytest.mark.parametrize("words", [["idmap"], ["ridmap", "mode=755"], []])
def test_a_tmpfs_of_a_container_that_joins_a_user_namespace(oci: Runtime, words: list[str]) -> None:
    """Its first process may not be looked into, which is how the maps would be made."""
    all_ids(oci)
    pid = oci.create("sleep", "60")
    oci("start", "c")
    join_spec(oci, pid)
    maps: dict[str, Any] = {"uidMappings": SWAPPED, "gidMappings": SWAPPED}
    entry = {"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": words, **maps}
    number = len(oci.spec["mounts"])
    oci.spec["mounts"].append(entry)
    oci.write()
    for verb in ("run", "create"):
        with oci.unchanged():
            told = oci(verb, "--bundle", str(oci.bundle), "joins", status=1).stderr
        asked = words[0] if words else "idmap"
        assert f"config.json: mounts[{number}].options: '{asked}': cannot be mounted with other ids" in told
        assert "makes no user namespace" in told
    del entry["uidMappings"], entry["gidMappings"]
    entry["options"] = []
    oci.spec["process"]["args"] = ["true"]
    oci.write()
    oci("run", "--bundle", str(oci.bundle), "joins")


@pytest.mark.real_ids("a mapping has two")
@pytest.mark.parametrize("own_user", [True, False])
def test_binds_of_root_in_a_user_namespace(rootless: Rootless, oci: Runtime, own_user: bool) -> None:
    """It may map what is mounted in its namespace (/run here), and nothing of the host's."""
    linux = oci.spec["linux"]
    all_ids(oci)
    if not own_user:
        linux["namespaces"].remove({"type": "user"})
    maps: dict[str, Any] = {"uidMappings": SWAPPED, "gidMappings": SWAPPED}
    entry = {"destination": "/x", "type": "bind", "source": "/run/source", "options": ["bind", "idmap"], **maps}
    oci.spec["mounts"].append(entry)
    oci.spec["process"]["args"] = ["sh", "-c", "stat -c '%u %g' /x /x/five"]
    told = inside(rootless, oci, "mkdir /run/source; touch /run/source/five; chown 5:5 /run/source/five; run run one")
    assert told.splitlines() == ["5 5", "0 0"]
    entry["source"] = "/etc"
    told = inside(rootless, oci, "run run one || true")
    assert "config.json: mounts[5].options: 'idmap': cannot be mounted with other ids" in told
    assert "another user namespace" in told
    if not own_user:
        oci.spec["mounts"][-1] = {"destination": "/x", "type": "bind", "source": "/run", "options": ["bind", "idmap"]}
        assert "mounts[5].options: 'idmap' without uidMappings" in inside(rootless, oci, "run run one || true")
