"""Each instruction with all its flags and forms, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.parse import parse


def instruction(text: str, head: str = "") -> dict[str, Any]:
    """The only instruction below FROM, without its origin."""
    (stage,) = parse(f"{head}FROM x\n{text}\n").stages
    (found,) = stage.instructions
    return {name: value for name, value in found._asdict().items() if name != "origin"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ENV a=b", {"pairs": (("a", "b"),), "legacy": False}),
        ("ENV a=b c='d e' f=g\\ h", {"pairs": (("a", "b"), ("c", "'d e'"), ("f", "g\\ h")), "legacy": False}),
        ("ENV a b  c", {"pairs": (("a", "b  c"),), "legacy": True}),
        ("ENV a =b", {"pairs": (("a", "=b"),), "legacy": True}),
        ('ENV a="b c"', {"pairs": (("a", '"b c"'),)}),
        ("ENV a=", {"pairs": (("a", ""),)}),
        ("ENV a=b=c", {"pairs": (("a", "b=c"),)}),
        ('LABEL "a b"=c d.e=f', {"pairs": (('"a b"', "c"), ("d.e", "f"))}),
        ("LABEL a b", {"pairs": (("a", "b"),), "legacy": True}),
        ("ARG a", {"arguments": (("a", None),)}),
        ("ARG a= b='x y' c", {"arguments": (("a", ""), ("b", "'x y'"), ("c", None))}),
        ("MAINTAINER a b", {"author": "a b"}),
        ("USER a:b", {"user": "a:b"}),
        ("WORKDIR /a b", {"path": "/a b"}),
        ("STOPSIGNAL SIGTERM", {"signal": "SIGTERM"}),
        ("EXPOSE 80 $p/udp 1-2", {"ports": ("$p/udp", "1-2", "80")}),
        ("VOLUME /a /b", {"paths": ("/a", "/b")}),
        ('VOLUME ["/a b", " /c "]', {"paths": ("/a b", "/c")}),
        ('SHELL ["/bin/bash", "-c"]', {"words": ("/bin/bash", "-c")}),
        ("ONBUILD RUN a b", {"trigger": "RUN a b"}),
        ("ONBUILD   COPY --from=x a b", {"trigger": "COPY --from=x a b"}),
        ("ONBUILD RUN <<E\na\nE", {"trigger": "RUN <<E\na\nE"}),
        ("ONBUILD nonsense", {"trigger": "nonsense"}),
        ("HEALTHCHECK NONE", {"test": ("NONE",)}),
        ("HEALTHCHECK CMD a b", {"test": ("CMD-SHELL", "a b"), "interval": 0, "retries": 0}),
        ('healthcheck cmd ["a", "b"]', {"test": ("CMD", "a", "b")}),
        (
            "HEALTHCHECK --interval=1m30s --timeout=5s --start-period=0s --start-interval=100ms --retries=3 CMD a",
            {
                "interval": 90 * 10**9,
                "timeout": 5 * 10**9,
                "start_period": 0,
                "start_interval": 10**8,
                "retries": 3,
            },
        ),
    ],
)
def test_configuration(text: str, expected: dict[str, Any]) -> None:
    found = instruction(text)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "words", "shell_form"),
    [
        ("a b", ("a b",), True), ('["a", "b"]', ("a", "b"), False), ("[]", (), False), ("", ("",), True),
        ("['a']", ("['a']",), True), ('["a"', ('["a"',), True), ('["a"] b', ('["a"] b',), True),
        ('[ "a\\n" ]', ("a\n",), False), ('["\\ud800x"]', ("\ufffdx",), False), ("[" * 9000, ("[" * 9000,), True),
        ("[NaN]", ("[NaN]",), True), ("{}", ("{}",), True), ('["ü"]', ("ü",), False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("keyword", ["RUN", "CMD", "ENTRYPOINT"])
def test_commands(keyword: str, text: str, words: tuple[str, ...], shell_form: bool) -> None:
    command = instruction(f"{keyword} {text}")["command"]
    assert (command.words, command.shell_form) == (words, shell_form)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY a b", {"sources": ("a",), "destination": "b", "add": False, "from_": "", "link": False}),
        ('COPY ["a b", "c", "/d e/"]', {"sources": ("a b", "c"), "destination": "/d e/"}),
        ("COPY a b c/", {"sources": ("a", "b"), "destination": "c/"}),
        ("COPY --from=x --chown=a:b --chmod=u+x --link --parents a b",
         {"from_": "x", "chown": "a:b", "chmod": "u+x", "link": True, "parents": True}),
        ("COPY --link=false --parents=TRUE a b", {"link": False, "parents": True}),
        ("COPY --exclude=*.a --exclude=!b a b", {"excludes": ("*.a", "!b")}),
        ("COPY --chown='a b' a b", {"chown": "a b"}),
        ('COPY --chown="a b" -- --x b', {"chown": "a b", "sources": ("--x",)}),
        ("COPY --chown=a\\ b a b", {"chown": "a b"}),
        ("COPY  --chown=   a b", {"chown": "", "sources": ("a",)}),
        ("ADD a b", {"add": True, "keep_git_dir": None, "unpack": None, "checksum": ""}),
        ("ADD --keep-git-dir --unpack=false --checksum=sha256:a --chmod=1 --chown=2 --link --exclude=x a b",
         {"keep_git_dir": True, "unpack": False, "checksum": "sha256:a", "chmod": "1", "chown": "2", "link": True}),
        ("COPY <<E a <<'F' /x/\n1\nE\n2\nF", {"sources": ("a",), "destination": "/x/"}),
        ('COPY ["<<E", "/x"]', {"sources": ("<<E",), "heredocs": ()}),
    ],
)  # fmt: skip
def test_files(text: str, expected: dict[str, Any]) -> None:
    found = instruction(text)
    assert {name: found[name] for name in expected} == expected


def test_heredocs_of_a_copy() -> None:
    found = instruction("COPY <<E a <<'F' /x/\n1\nE\n2\nF")["heredocs"]
    assert [(item.name, item.content, item.expand) for item in found] == [
        ("E", "1\n", True),
        ("F", "2\n", False),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN a", {"network": "", "security": "", "mounts": (), "devices": ()}),
        ("RUN --network=none --security=insecure a", {"network": "none", "security": "insecure"}),
        (
            "RUN --mount=type=cache,target=/a --mount=type=ssh a",
            {"mounts": ("type=cache,target=/a", "type=ssh")},
        ),
        ("RUN --device=v.com/c=d,required a", {"devices": ("v.com/c=d,required",)}),
        ("RUN --mount='type=bind,target=/a b' x", {"mounts": ("type=bind,target=/a b",)}),
    ],
)
def test_run(text: str, expected: dict[str, Any]) -> None:
    found = instruction(text)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FORM x", r"unknown instruction: FORM \(did you mean FROM\?\)"),
        ("runn x", r"unknown instruction: runn \(did you mean RUN\?\)"),
        ("XYZZY", "unknown instruction: XYZZY$"),
        ("RUN --mont=type=ssh a", r"unknown flag: --mont \(did you mean mount\?\)"),
        ("COPY --from=a --from=b c d", "duplicate flag specified: --from"),
        ("COPY --from c d", "missing a value on flag: --from"),
        ("COPY --link=yes c d", "expecting boolean value for flag --link, not: yes"),
        ("COPY --link= c d", "missing a value on flag: --link"),
        ("COPY --checksum=a c d", "unknown flag: --checksum"),
        ("ADD --from=a c d", "unknown flag: --from"),
        ("USER --x y", "unknown flag: --x"),
        ("COPY a", "COPY requires at least two arguments, but only one was provided. Destination could not"),
        ("ADD", "ADD requires at least two arguments"),
        ("COPY a <<E\nE", "COPY cannot accept a heredoc as a destination"),
        ("RUN [1]", "when using JSON array syntax, arrays must be comprised of strings only"),
        ('CMD ["a", 1]', "arrays must be comprised of strings only"),
        ('COPY ["a", null]', "arrays must be comprised of strings only"),
        ("RUN --network=bridge a", 'invalid network mode "bridge"'),
        ("RUN --security=x a", 'security "x" is not valid'),
        ("RUN --device=a,b=c d", "unexpected key 'b' in 'b=c'"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV a", "ENV must have two arguments"),
        ("ENV a=b c", 'can\'t find = in "c". Must be of the form: name=value'),
        ("ENV =b", "ENV names can not be blank"),
        ("LABEL a", "LABEL must have two arguments"),
        ("ARG", "ARG requires at least one argument"),
        ("ARG =b", "ARG names can not be blank"),
        ("USER", "USER requires exactly one argument"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("STOPSIGNAL", "STOPSIGNAL requires exactly one argument"),
        ("MAINTAINER", "MAINTAINER requires exactly one argument"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("VOLUME", "VOLUME requires at least one argument"),
        ('VOLUME [" "]', "VOLUME specified can not be an empty string"),
        ("SHELL /bin/sh", "SHELL requires the arguments to be in JSON form"),
        ("SHELL []", "SHELL requires at least one argument"),
        ("ONBUILD", "ONBUILD requires at least one argument"),
        ("ONBUILD ONBUILD RUN a", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD from x", "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD MAINTAINER x", "MAINTAINER isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK TCP x", 'Unknown type "TCP" in HEALTHCHECK'),
        ("HEALTHCHECK --interval=5 CMD x", 'missing unit in duration "5"'),
        ("HEALTHCHECK --interval=5y CMD x", 'unknown unit "y" in duration "5y"'),
        ("HEALTHCHECK --timeout=1us CMD x", 'Interval "timeout" cannot be less than 1ms'),
        ("HEALTHCHECK --timeout=-1s CMD x", 'Interval "timeout" cannot be less than 1ms'),
        ("HEALTHCHECK --retries=-1 CMD x", r"--retries cannot be negative \(-1\)"),
        ("HEALTHCHECK --retries=x CMD x", "invalid syntax"),
        ("FROM", "FROM requires either one or three arguments"),
        ("FROM a b", "FROM requires either one or three arguments"),
        ("FROM a as 1b", 'invalid name for build stage: "1b", name can\'t start with a number'),
        ("FROM a as b/c", "invalid name for build stage"),
        ("FROM --as=x a", "unknown flag: --as"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        parse(f"FROM x\n\n{text}\n")
    assert caught.value.first == 3
    assert ">>> " + text.splitlines()[0] in caught.value.excerpt()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file with no instructions"),
        ("# only this\n", "file with no instructions"),
        ("ARG a\n", "dockerfile contains no stages to build"),
        ("RUN a\nFROM x", "no build stage in current context"),
        ("# syntax=tonistiigi/other\nFROM x", "the frontend tonistiigi/other cannot be run"),
    ],
)
def test_files_that_are_none(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        parse(text)


def test_the_syntax_of_the_command_line_wins() -> None:
    assert parse("# syntax=a/b\nFROM x", syntax="docker/dockerfile:1").stages
    with pytest.raises(DockerfileError, match="the frontend a/b"):
        parse("FROM x", syntax="a/b")


def test_stages() -> None:
    found = parse("ARG v=1 w\nFROM --platform=$BUILDPLATFORM a:$v as Build\nRUN b\nfrom build\n")
    first, second = found.stages
    assert (first.base.image, first.base.name, first.base.written_name) == ("a:$v", "build", "Build")
    assert (first.base.platform, second.base.image, second.base.name) == ("$BUILDPLATFORM", "build", "")
    assert found.globals[0].arguments == (("v", "1"), ("w", None))


def test_what_an_error_shows() -> None:
    with pytest.raises(DockerfileError) as caught:
        parse(
            "FROM x\nUSER a\nUSER b\nRUN --mount=type=bin,target=/x \\\n  # c\n  y\nUSER c\n",
            file="sub/Dockerfile",
        )
    assert caught.value.message == (
        'dockerfile parse error on line 4: unsupported mount type "bin" (did you mean bind?)'
    )
    assert caught.value.excerpt() == (
        "sub/Dockerfile:4\n"
        "--------------------\n"
        "   2 |     USER a\n"
        "   3 |     USER b\n"
        "   4 | >>> RUN --mount=type=bin,target=/x \\\n"
        "   5 | >>>   # c\n"
        "   6 | >>>   y\n"
        "   7 |     USER c\n"
        "--------------------\n"
    )


def test_an_excerpt_steers_no_terminal() -> None:
    with pytest.raises(DockerfileError) as caught:
        parse(b"FROM x\nRUNN \x1b[2J\xff\ta\n")
    assert "   2 | >>> RUNN \\x1b[2J\\udcff\ta\n" in caught.value.excerpt()
