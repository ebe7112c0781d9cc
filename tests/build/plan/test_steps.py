"""RUN, COPY, ADD and WORKDIR as steps: every word expanded, every default filled in, numbered as BuildKit does."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.plan.sources import CONTEXT, ImageSource, Scratch, StageSource
from rootless.build.plan.steps import GitSource, HttpSource, InlineSource, Mount, PathSource, PipeFile
from tests.build.plan.planning import (
    AMD64,
    ARM64,
    copies,
    created_by,
    document,
    names,
    plan_of,
    request,
    runs,
    target_of,
    workdirs,
)


@pytest.mark.parametrize(
    ("text", "args", "files"),
    [
        ("RUN a $b", ("/bin/sh", "-c", "a $b"), ()),
        ('RUN ["a", "$b"]', ("a", "$b"), ()),
        ('SHELL ["bash", "-ec"]\nRUN a', ("bash", "-ec", "a"), ()),
        ('SHELL ["bash"]\nRUN ["a"]', ("a",), ()),
        ("RUN <<E\na $b\nE", ("/bin/sh", "-c", "a $b\n"), ()),
        ("RUN <<-E\n\ta\n\tE", ("/bin/sh", "-c", "a\n"), ()),
        ("RUN <<E cat\na\nE", ("/bin/sh", "-c", "<<E cat\na\nE"), ()),
        ("RUN cat <<E <<'F'\na\nE\nb\nF", ("/bin/sh", "-c", "cat <<E <<'F'\na\nE\nb\nF"), ()),
        (
            "RUN <<E\n#!/bin/x\na\nE",
            ("/bin/sh", "-c", "/dev/pipes/E"),
            (PipeFile("/dev/pipes/E", "#!/bin/x\na\n"),),
        ),
    ],
)
def test_commands(text: str, args: tuple[str, ...], files: tuple[PipeFile, ...]) -> None:
    (run,) = runs(target_of(f"FROM a\n{text}"))
    assert (run.args, run.files) == (args, files)


def test_what_a_run_takes_from_the_stage() -> None:
    images = {"a": document(Env=["PATH=/b"])}
    (run,) = runs(target_of("FROM a\nUSER u:g\nWORKDIR /w\nRUN x", images=images))
    assert (run.cwd, run.user, run.env) == ("/w", "u:g", (("PATH", "/b"),))
    assert (run.network, run.security) == ("default", "sandbox")


@pytest.mark.parametrize(
    ("flag", "asked", "network"),
    [
        ("", "", "default"),
        ("", "none", "none"),
        ("--network=host", "none", "host"),
        ("--network=default", "none", "none"),
    ],
)
def test_networks(flag: str, asked: str, network: str) -> None:
    assert runs(target_of(f"FROM a\nRUN {flag} x", request(network=asked)))[0].network == network


def test_devices() -> None:
    (run,) = runs(target_of("FROM a\nRUN --device=v.x/c=d,required --device=e x"))
    assert run.devices == (("v.x/c=d", True), ("e", False))


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ("target=/m", Mount("bind", "/m", "/", CONTEXT, True)),
        ("type=bind,target=m/../n,source=../x,rw", Mount("bind", "/w/n", "/x", CONTEXT, False)),
        ("target=/m,from=img", Mount("bind", "/m", "/", ImageSource("img", AMD64), True)),
        ("target=/m,from=scratch,rw", Mount("bind", "/m", "/", Scratch(), False)),
        ("target=/m,from=other,source=/a", Mount("bind", "/m", "/a", StageSource(0), True)),
        ("target=$v", Mount("bind", "/w/val", "/", CONTEXT, True)),
        ("type=cache,target=/c/", Mount("cache", "/c", "/", None, False, "/c", mode=0o755)),
        ("type=cache,target=c", Mount("cache", "/w/c", "/", None, False, "c", mode=0o755)),
        (
            "type=cache,target=/c,id=$v,sharing=locked,from=other,source=/s,uid=1,gid=2,mode=0700,ro",
            Mount("cache", "/c", "/s", StageSource(0), True, "val", "locked", mode=0o700, uid=1, gid=2),
        ),
        ("type=tmpfs,target=/t,size=1m", Mount("tmpfs", "/t", size_bytes=1 << 20)),
        ("type=secret,id=a/b", Mount("secret", "/run/secrets/b", id="a/b", mode=0o400)),
        ("type=secret,target=/t/x", Mount("secret", "/t/x", id="x", mode=0o400)),
        (
            "type=secret,source=s,required",
            Mount("secret", "/run/secrets/s", id="s", mode=0o400, required=True),
        ),
        ("type=secret,id=a,env=T", Mount("secret", "", id="a", mode=0o400, env="T")),
        (
            "type=secret,id=a,env=T,target=/t,mode=0444,uid=3",
            Mount("secret", "/t", id="a", mode=0o444, env="T", uid=3),
        ),
        ("type=ssh", Mount("ssh", "/run/buildkit/ssh_agent.0", id="default", mode=0o600)),
        ("type=ssh,id=x,target=/s,required", Mount("ssh", "/s", id="x", mode=0o600, required=True)),
    ],
)
def test_mounts(mount: str, expected: Mount) -> None:
    plan = target_of(f"FROM b AS other\nFROM a\nARG v=val\nWORKDIR /w\nRUN --mount={mount} x")
    assert runs(plan)[0].mounts == (expected,)


def test_ssh_mounts_are_numbered_and_caches_have_a_namespace() -> None:
    asked = request(build_args={"BUILDKIT_CACHE_MOUNT_NS": "ns"})
    text = "FROM a\nRUN --mount=type=ssh --mount=type=ssh,id=b --mount=type=cache,target=/c x"
    (run,) = runs(target_of(text, asked))
    assert [mount.target for mount in run.mounts] == [
        "/run/buildkit/ssh_agent.0",
        "/run/buildkit/ssh_agent.1",
        "/c",
    ]
    assert run.mounts[2].id == "ns//c"


SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RUN --mount=target=/ x", 'invalid mount target "/"'),
        ("RUN --mount=type=tmpfs,target=/a/.. x", 'invalid mount target "/"'),
        ("ARG t=x\nRUN --mount=type=$t,target=/a x", 'unsupported mount type "x"'),
        ("RUN --mount=type=secret,id=a,env=A=B x", "is no name of a variable"),
        ("RUN <<../x\n#!/bin/sh\n../x", "cannot be called"),
        (
            "COPY --chmod=8 a b",
            "invalid chmod parameter: '8'. it should be octal string and between 0 and 07777",
        ),
        ("COPY --chmod=17777 a b", "invalid chmod parameter"),
        ("COPY --chmod=u+q a b", "invalid chmod parameter"),
        ("COPY --chmod=rwx a b", "invalid chmod parameter"),
        ("ADD --checksum=sha256:ab https://h/x /", "invalid checksum digest format"),
        (f"ADD --checksum={SHA} a b", r"checksum requires HTTP\(S\) or Git sources"),
        (
            f"ADD --checksum={SHA} https://h/x https://h/y /",
            "checksum can't be specified for multiple sources",
        ),
        ("ADD --checksum=zz https://h/x.git /", "invalid checksum"),
        ("COPY https://h/x /", "source can't be a URL for COPY"),
        ("COPY https://h/x.git /", "source can't be a git ref for COPY"),
        ("COPY git@h:x /", "source can't be a git ref for COPY"),
        ('RUN ["a\\u0000"]', "NUL"),
        ('COPY ["a\\u0000", "b"]', "NUL"),
        ("COPY ${x?needed} b", "x: needed"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        plan_of(f"FROM a\n{text}")
    assert caught.value.first >= 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY a b c/", {"sources": (PathSource(CONTEXT, ("a", "b")),), "destination": "/w/c/"}),
        ("COPY a /b", {"destination": "/b"}),
        ("COPY a .", {"destination": "/w/"}),
        ("COPY a ./", {"destination": "/w/"}),
        ("COPY a ..", {"destination": "/"}),
        ("COPY a /x/.", {"destination": "/x/"}),
        ("COPY a //x/../y", {"destination": "/y"}),
        ("COPY $v $v", {"sources": (PathSource(CONTEXT, ("val",)),), "destination": "/w/val"}),
        ("COPY --from=other a b", {"sources": (PathSource(StageSource(0), ("a",)),)}),
        ("COPY --from=0 a b", {"sources": (PathSource(StageSource(0), ("a",)),)}),
        ("COPY --from=img:1 a b", {"sources": (PathSource(ImageSource("img:1", AMD64), ("a",)),)}),
        (
            "COPY --chown=$v:1 --chmod=u=rwX,go-w --link --parents --exclude=$v a b",
            {"chown": "val:1", "chmod": "u=rwX,go-w", "link": True, "parents": True, "excludes": ("$v",)},
        ),
        ("ADD a b", {"add": True, "unpack": None}),
        ("ADD --unpack a b", {"unpack": True}),
        ("ADD https://h/a%20b?x#y /d/", {"sources": (HttpSource("https://h/a%20b?x#y", "a b"),)}),
        ("ADD http://h /d/", {"sources": (HttpSource("http://h", "__unnamed__"),)}),
        ("ADD http://h/.. /d/", {"sources": (HttpSource("http://h/..", "__unnamed__"),)}),
        ("ADD http://h/a/%2e%2e /d/", {"sources": (HttpSource("http://h/a/%2e%2e", "__unnamed__"),)}),
        (f"ADD --checksum={SHA} https://h/x /d", {"sources": (HttpSource("https://h/x", "x", SHA),)}),
        ("ADD https://h/x.git /d", {"sources": (GitSource("https://h/x.git"),)}),
        (
            "ADD --keep-git-dir --checksum=abcd https://h/x.git#main:sub /d",
            {"sources": (GitSource("https://h/x.git", "main", "sub", "abcd", True),)},
        ),
        ("ADD github.com/a/b /d", {"sources": (PathSource(CONTEXT, ("github.com/a/b",)),)}),
        (
            "ADD a https://h/x b c /d/",
            {
                "sources": (
                    PathSource(CONTEXT, ("a",)),
                    HttpSource("https://h/x", "x"),
                    PathSource(CONTEXT, ("b", "c")),
                )
            },
        ),
        (
            "COPY <<E a <<'F' /d/\n$v \"q\"\nE\n$v\nF",
            {
                "sources": (
                    PathSource(CONTEXT, ("a",)),
                    InlineSource("E", 'val "q"\n'),
                    InlineSource("F", "$v\n"),
                )
            },
        ),
    ],
)
def test_copies(text: str, expected: dict[str, Any]) -> None:
    plan = target_of(f"FROM b AS other\nFROM a\nARG v=val\nWORKDIR /w\n{text}")
    found = copies(plan)[0]._asdict()
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "history"),
    [
        (
            "COPY --from=img --chown=1 --chmod=2 --link --parents a b /c/",
            "COPY --parents --chown=1 --chmod=2 a b /c/ # buildkit",
        ),
        ("ADD $v <<E $v\nE", "ADD val <<E val # buildkit"),
        ("COPY a .", "COPY a . # buildkit"),
    ],
)
def test_history_of_copies(text: str, history: str) -> None:
    assert created_by(target_of(f"FROM a\nENV v=val\n{text}"))[-1] == history


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("WORKDIR /a\nWORKDIR b\nWORKDIR ../c", ["/a", "/a/b", "/a/c"]),
        ("WORKDIR a", ["/base/a"]),
        ("WORKDIR /", []),
        ("ENV v=/x\nWORKDIR $v/y//z/", ["/x/y/z"]),
        ("WORKDIR //a", ["/a"]),
        ("WORKDIR '/a b'", ["/a b"]),
    ],
)
def test_workdirs(text: str, paths: list[str]) -> None:
    plan = target_of(f"FROM a\nUSER u\n{text}", images={"a": document(WorkingDir="/base")})
    assert [step.path for step in workdirs(plan)] == paths
    assert all(step.user == "u" for step in workdirs(plan))
    assert plan.config.workdir == (paths[-1] if paths else "/")
    assert plan.history[-1].empty_layer is (not paths)


def test_history_belongs_to_steps() -> None:
    plan = target_of("FROM a\nLABEL x=1\nRUN a\nENV b=c\nCOPY d e\nWORKDIR /f")
    assert [(entry.created_by.split()[0], entry.step, entry.empty_layer) for entry in plan.history] == [
        ("LABEL", None, True), ("RUN", 0, False), ("ENV", None, True), ("COPY", 1, False), ("WORKDIR", 2, False),
    ]  # fmt: skip


A = "FROM docker.io/library/a:latest"


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("FROM a\nRUN x\nCOPY y z", f"[1/3] {A}", ["[2/3] RUN x", "[3/3] COPY y z"]),
        ("FROM scratch\nCOPY y z", "FROM scratch", ["[1/1] COPY y z"]),
        ("FROM a\nCOPY --from=b y z", f"[stage-0 1/2] {A}", ["[stage-0 2/2] COPY --from=b y z"]),
        ("FROM b AS one\nFROM a AS two\nrun x", f"[two 1/2] {A}", ["[two 2/2] RUN x"]),
        ("FROM b AS one\nFROM one\nRUN x", "FROM one", ["[stage-1 1/1] RUN x"]),
        ('FROM a\nENV v=1\nCOPY "$v" $u z', f"[1/2] {A}", ["[2/2] COPY 1  z"]),
        ('FROM a\nENV v=1\nRUN echo "$v" $u', f"[1/2] {A}", ['[2/2] RUN echo "1" $u']),
        ("FROM a\nRUN <<E\none\ntwo\nE", f"[1/2] {A}", ["[2/2] RUN <<E (one...)"]),
        ("FROM a\nRUN <<E\none\nE", f"[1/2] {A}", ["[2/2] RUN <<E (one)"]),
        ("FROM a\n" + "RUN x\n" * 9, f"[ 1/10] {A}", [f"[{number:2}/10] RUN x" for number in range(2, 11)]),
    ],
)
def test_vertices(text: str, base: str, expected: list[str]) -> None:
    plan = target_of(text)
    assert (plan.base_name, names(plan)) == (base, expected)


def test_vertices_of_several_platforms() -> None:
    asked = request(platform=ARM64, multi_platform=True)
    assert names(target_of("FROM a\nRUN x", asked)) == ["[linux/arm64 2/2] RUN x"]
    plan = target_of("FROM scratch AS o\nFROM --platform=$BUILDPLATFORM a AS s\nARG TARGETARCH\nRUN x", asked)
    assert names(plan) == ["[linux/amd64->arm64 s 2/2] RUN x"]


def test_places() -> None:
    plan = target_of("FROM a\n\nRUN x \\\n y\nCOPY <<E /z\nE\n")
    assert [(step.place.first, step.place.last) for step in plan.steps] == [(3, 4), (5, 6)]
