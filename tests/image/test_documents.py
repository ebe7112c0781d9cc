"""Manifests, configurations, challenges, platforms: what is accepted and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.errors import Corrupt, InvalidInput, NotFound, NotSupported, RootlessError
from rootless.image import config, manifest, platforms
from rootless.image.archive import instructions
from rootless.image.platforms import Platform
from rootless.image.registry import challenge

D = "sha256:" + "0" * 64


def descriptor(media_type: str = manifest.OCI_LAYER_GZIP, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": D, "size": 1, **more}


def document(**more: Any) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "config": descriptor(manifest.OCI_CONFIG), "layers": [], **more}
    ).encode()


def test_manifest() -> None:
    parsed = manifest.parse(document(layers=[descriptor()]), manifest.OCI_MANIFEST)
    assert isinstance(parsed, manifest.Manifest)
    assert parsed.layers[0].size == 1


@pytest.mark.parametrize(
    ("data", "media_type", "kind", "says"),
    [
        (b"", "", Corrupt, "JSON"),
        (b"[" * 100_000, "", Corrupt, "JSON"),
        (b"[]", "", Corrupt, "no JSON object"),
        (b'{"schemaVersion":1}', "", NotSupported, "schema 1"),
        (document(manifests=[]), "", Corrupt, "both an index and a manifest"),
        (document(mediaType=manifest.OCI_INDEX), manifest.OCI_MANIFEST, Corrupt, "was served as"),
        (document(mediaType="x/y"), "x/y", NotSupported, "unknown type"),
        (document(config=descriptor("application/vnd.cncf.helm.config.v1+json")), "", NotSupported, "artifact"),
        (document(artifactType="application/x"), "", NotSupported, "artifact of type 'application/x'"),
        (document(layers=[descriptor(manifest.OCI_LAYER_GZIP + "+encrypted")]), "", NotSupported, "encrypted"),
        (document(layers=[descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")]), "",
         NotSupported, "foreign"),
        (document(layers=[descriptor("application/x-nonsense")]), "", NotSupported, "unknown type"),
        (document(layers=[descriptor(digest="sha256:../../etc/passwd")]), "", Corrupt, "digest"),
        (document(layers=[descriptor(size=-1)]), "", Corrupt, "size"),
        (document(layers=[descriptor(size=True)]), "", Corrupt, "size"),
        (document(layers=[descriptor()] * 2000), "", Corrupt, "more than"),
        (document(config=descriptor(manifest.OCI_CONFIG, size=1 << 30)), "", Corrupt, "larger"),
        (b" " * (5 << 20), "", Corrupt, "larger"),
    ],
)  # fmt: skip
def test_manifests_refused(data: bytes, media_type: str, kind: type[RootlessError], says: str) -> None:
    with pytest.raises(kind, match=says):
        manifest.parse(data, media_type)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(D) | st.just(manifest.OCI_INDEX),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size",
                         "platform", "annotations", "rootfs", "diff_ids", "history", "Env", "Labels"]), inner),
    max_leaves=20,
)  # fmt: skip


@given(_JSON)
def test_any_json_is_parsed_or_refused(value: Any) -> None:
    for version in ({}, {"schemaVersion": 2}):
        data = json.dumps({**value, **version} if isinstance(value, dict) else value).encode()
        for parse in (manifest.parse, config.parse):
            try:
                parse(data)
            except RootlessError:
                pass


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(RootlessError):
        manifest.parse(data)


def test_config_drops_nulls_and_checks_types() -> None:
    good = {
        "rootfs": {"type": "layers", "diff_ids": [D]},
        "config": {"Env": None, "Cmd": ["x"]},
        "author": None,
    }
    assert config.parse(json.dumps(good).encode(), layers=1)["config"] == {"Cmd": ["x"]}
    wrong: list[dict[str, Any]] = [
        {"Env": [1]}, {"Cmd": {}}, {"User": 5}, {"Labels": {"a": 1}}, {"Volumes": []}, {"Env": ["a\0"]},
    ]  # fmt: skip
    for bad in wrong:
        with pytest.raises(Corrupt):
            config.parse(json.dumps({**good, "config": bad}).encode())
    with pytest.raises(Corrupt, match="1 diff_ids for 2 layers"):
        config.parse(json.dumps(good).encode(), layers=2)


def index(*names: str) -> manifest.Index:
    entries = []
    for name in names:
        os, architecture, *variant = name.split("/")
        entries.append(
            descriptor(
                manifest.OCI_MANIFEST,
                platform={"os": os, "architecture": architecture, "variant": "".join(variant)},
            )
        )
    data = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    parsed = manifest.parse(data, manifest.OCI_INDEX)
    assert isinstance(parsed, manifest.Index)
    return parsed


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        (("linux/arm64", "linux/amd64"), "linux/amd64", 1),
        (("linux/arm/v5", "linux/arm/v7", "linux/arm/v6"), "linux/arm/v7", 1),
        (("linux/arm/v5", "linux/arm/v6"), "armhf", 1),
        (("linux/arm/v7", "linux/arm/v6"), "linux/arm/v6", 1),
        (("linux/arm64/v8",), "arm64", 0),
        (("linux/amd64", "linux/amd64/v3"), "linux/amd64/v4", 1),
        (("linux/amd64/v3", "linux/amd64"), "linux/amd64", 1),
        (("windows/amd64", "unknown/unknown", "linux/amd64"), "x86_64", 2),
        (("linux/amd64/v3",), "linux/amd64", None),
        (("linux/arm64",), "linux/amd64", None),
    ],
)
def test_choice_of_platform(offered: tuple[str, ...], wanted: str, chosen: int | None) -> None:
    found = platforms.select(
        [entry.platform or Platform("", "") for entry in index(*offered).entries], platforms.parse(wanted)
    )
    assert found == chosen


def test_no_such_platform_says_what_there_is() -> None:
    with pytest.raises(NotFound, match="no matching manifest for linux/s390x") as caught:
        manifest.choose(index("linux/amd64", "linux/arm64"), platforms.parse("s390x"))
    assert caught.value.hint == "there is: linux/amd64, linux/arm64"


@pytest.mark.parametrize("text", ["", "/", "linux/", "a/b/c/d", "linux/vax", "li\nux/amd64"])
def test_platforms_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        platforms.parse(text)


def test_challenges() -> None:
    header = 'Basic realm="a, \\"b\\"", Bearer realm="https://x/t",service=s,scope="repository:a:pull,push"'
    basic, bearer = challenge.parse(header)
    assert basic == challenge.Challenge("basic", {"realm": 'a, "b"'})
    assert bearer.parameters == {"realm": "https://x/t", "service": "s", "scope": "repository:a:pull,push"}


@given(st.text())
def test_any_challenge_is_read(header: str) -> None:
    challenge.parse(header)


def test_changes() -> None:
    made = instructions.apply(
        {"Env": ["A=0"], "WorkingDir": "/w"},
        ['CMD ["a","b"]', "ENTRYPOINT x y", 'ENV A=1 B="2 3"', "ENV C old form", "EXPOSE 80 53/udp", "LABEL l=m",
         "USER u:g", "VOLUME /v", "HEALTHCHECK --interval=1m30s --retries=2 CMD true x", "WORKDIR sub", "STOPSIGNAL SIGINT", "CMD=z"],
    )  # fmt: skip
    assert made == {
        "Env": ["A=1", "B=2 3", "C=old form"], "WorkingDir": "/w/sub", "Cmd": ["/bin/sh", "-c", "z"],
        "Entrypoint": ["/bin/sh", "-c", "x y"], "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Labels": {"l": "m"}, "User": "u:g", "Volumes": {"/v": {}}, "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD-SHELL", "true x"], "Interval": 90 * 10**9, "Retries": 2},
    }  # fmt: skip
    for bad in ("RUN x", "ENV", "ENV a", "EXPOSE x", "EXPOSE 80/icmp", 'LABEL "a', "", "EXPOSE 0"):
        with pytest.raises(InvalidInput):
            instructions.apply({}, [bad])
