"""Names of images: Docker's grammar and wording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.errors import InvalidInput
from rootless.image.reference import Reference, is_short, parse

HEX = "a" * 64


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("debian", "docker.io/library/debian:latest", "debian:latest"),
        ("debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"),
        ("docker.io/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
        ("a/b", "docker.io/a/b:latest", "a/b:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
        ("localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1"),
        ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
        ("ghcr.io/a/b__c--d.e", "ghcr.io/a/b__c--d.e:latest", "ghcr.io/a/b__c--d.e:latest"),
        (f"debian@sha256:{HEX}", f"docker.io/library/debian@sha256:{HEX}", f"debian@sha256:{HEX}"),
        (f"debian:x@sha256:{HEX}", f"docker.io/library/debian@sha256:{HEX}", f"debian:x@sha256:{HEX}"),
    ],
)
def test_spellings(text: str, canonical: str, familiar: str) -> None:
    parsed = parse(text)
    assert parsed.canonical == canonical
    assert parsed.familiar() == familiar


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a b", "-a", "a-", "/a", "a/", "a//b", "a..b", "a___b", "a:", "a:-x", ":x", "a:" + "t" * 129,
        "a@sha256:x", "a@sha256:" + "A" * 64, "a@", "a@b@c", "x.y:0/a", "x.y:99999/a", "[::1/x", "[zz]/x",
        "-x.y/a", "x..y/a", "https://x.y/a", "a\n", "\xe9", "a" * 257, "../../etc", "a/../b",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="invalid reference format"):
        parse(text)


def test_dockers_wording() -> None:
    with pytest.raises(InvalidInput, match=r"repository name \(library/Debian\) must be lowercase"):
        parse("Debian")
    with pytest.raises(InvalidInput, match="cannot specify 64-byte hexadecimal strings"):
        parse(HEX)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("docker://debian:bookworm", "leave docker:// out: debian:bookworm"),
        ("docker://nvcr.io#nvidia/pytorch:24.01", "leave docker:// out: nvcr.io/nvidia/pytorch:24.01"),
        ("library://alpine", "images come from registries, as HOST/NAME:TAG: there is no library:// here"),
        ("./tools.sif", "a path is no name: an image file is taken by `rootless run`, as it is"),
    ],
)
def test_names_as_other_programs_have_them(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match="invalid reference format") as refused:
        parse(text)
    assert refused.value.hint == hint


def test_short_names() -> None:
    assert is_short("debian")
    assert is_short("a/b:1")
    assert not is_short("localhost/a")
    assert not is_short("quay.io/a")


@given(st.text(max_size=300))
def test_any_text_parses_or_is_invalid_input(text: str) -> None:
    try:
        parse(text)
    except InvalidInput:
        pass


_WORD = st.text("ab0", min_size=1, max_size=4)
_NAME = st.lists(_WORD, min_size=1, max_size=3).map(lambda words: "-".join(words))
_TAG = st.text("aB0_.-", min_size=1, max_size=6).filter(lambda tag: tag[0] not in ".-")


@given(
    st.sampled_from(["docker.io", "localhost", "quay.io", "x.y:5000", "[::1]:80"]),
    st.lists(_NAME, min_size=1, max_size=4).map("/".join),
    _TAG,
)
def test_spelling_and_parsing_agree(registry: str, repository: str, tag: str) -> None:
    parsed = parse(f"{registry}/{repository}:{tag}")
    assert parse(parsed.canonical) == parsed
    assert parse(parsed.familiar()) == parsed
    assert isinstance(parsed, Reference)


@pytest.mark.parametrize("registry", ["docker.io", "registry.example.com:5000"])
def test_the_limit_is_the_paths_alone(registry: str) -> None:
    longest = "a/" * 127 + "b"
    assert len(longest) == 255
    assert parse(f"{registry}/{longest}:{'t' * 128}").repository == longest
    with pytest.raises(InvalidInput, match="invalid reference format"):
        parse(f"{registry}/{longest}c")
