"""`rootless build` as a user runs it: what is built, what comes from the cache, what a failure says."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.harness.command import Rootless
from tests.harness.processes import wait_until

pytestmark = pytest.mark.own_store


def steps(stderr: str) -> dict[str, str]:
    """What became of each step: {"RUN make": "CACHED"}; times are cut off."""
    names = dict(re.findall(r"^#(\d+) \[[^\]]*\d+/\d+\] (.*)$", stderr, re.MULTILINE))
    ends = re.findall(r"^#(\d+) (CACHED|DONE|ERROR|CANCELED)", stderr, re.MULTILINE)
    return {names[number]: end for number, end in ends if number in names}


def config(rootless: Rootless, image: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(rootless("image", "inspect", image).stdout)[0]
    return found


def test_files_configuration_and_history(build: Build, rootless: Rootless, context: Path) -> None:
    (context / "a.txt").write_text("a\n")
    built = build(
        "FROM busybox\n"
        "ARG WHO=you\n"
        "ENV A=1 B=two\n"
        "RUN echo hello $WHO > /hello && rm /bin/vi\n"
        "COPY --chmod=640 --chown=user:staff a.txt /data/\n"
        "WORKDIR /srv/place\n"
        'LABEL kind=test\nEXPOSE 80\nVOLUME /v\nUSER user\nENTRYPOINT ["cat"]\nCMD ["/hello"]\n'
        "HEALTHCHECK --interval=5s CMD true\nSTOPSIGNAL SIGINT\nSHELL [\"/bin/ash\", \"-c\"]\nONBUILD RUN true\n",
        "-t", "test:1", "--build-arg", "WHO=world", "--label", "more=x",
    )  # fmt: skip
    assert built.stdout == ""
    assert "naming to docker.io/library/test:1 done" in built.stderr
    assert rootless("run", "--rm", "test:1").stdout == "hello world\n"
    listed = rootless("run", "--rm", "--entrypoint", "ls", "test:1", "-ln", "/data/a.txt").stdout.split()
    assert listed[:4] == ["-rw-r-----", "1", "1000", "50"]
    assert rootless("run", "--rm", "--entrypoint", "ls", "test:1", "/bin/vi", status=1).stdout == ""
    found = config(rootless, "test:1")["Config"]
    assert isinstance(found, dict)
    assert found["WorkingDir"] == "/srv/place"
    assert {"A=1", "B=two"} <= set(found["Env"])
    assert found["Labels"] == {"kind": "test", "more": "x"}
    assert found["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000}
    assert (found["Shell"], found["OnBuild"], found["User"]) == (["/bin/ash", "-c"], ["RUN true"], "user")
    history = rootless("history", "--no-trunc", "--format", "{{.CreatedBy}}", "test:1").lines
    assert history[history.index("WORKDIR /srv/place") :][:5] == [
        "WORKDIR /srv/place",
        "COPY --chown=user:staff --chmod=640 a.txt /data/ # buildkit",
        "RUN |1 WHO=world /bin/sh -c echo hello $WHO > /hello && rm /bin/vi # buildkit",
        "ENV A=1 B=two",
        "ARG WHO=world",
    ]


def test_nothing_is_done_twice(build: Build, rootless: Rootless, context: Path) -> None:
    (context / "a.txt").write_text("a\n")
    text = "FROM busybox\nRUN date > /first\nCOPY a.txt /\nRUN cat /a.txt > /second\n"
    assert set(steps(build(text, "-t", "one").stderr).values()) == {"CACHED", "DONE"}
    assert set(steps(build(text, "-t", "two").stderr).values()) == {"CACHED"}
    assert config(rootless, "one")["Id"] == config(rootless, "two")["Id"]
    (context / "a.txt").touch()
    assert set(steps(build(text).stderr).values()) == {"CACHED"}
    # Metadata changes no file: what comes below is not done again.
    labelled = text.replace("FROM busybox\n", "FROM busybox\nLABEL a=b\nENTRYPOINT []\n")
    assert set(steps(build(labelled).stderr).values()) == {"CACHED"}
    (context / "a.txt").write_text("b\n")
    found = steps(build(text).stderr)
    assert found["RUN date > /first"] == "CACHED"
    assert (found["COPY a.txt /"], found["RUN cat /a.txt > /second"]) == ("DONE", "DONE")


def test_no_cache(build: Build) -> None:
    text = "FROM busybox AS one\nRUN date > /a\nFROM busybox AS two\nRUN date > /b\nCOPY --from=one /a /a\n"
    build(text)
    assert steps(build(text, "--no-cache").stderr)["RUN date > /a"] == "DONE"
    found = steps(build(text, "--no-cache-filter", "two").stderr)
    assert (found["RUN date > /a"], found["RUN date > /b"]) == ("CACHED", "DONE")


def test_a_stage_that_comes_out_the_same_is_as_good_as_cached(build: Build, context: Path) -> None:
    (context / "a.txt").write_text("a\n")
    text = (
        "FROM busybox AS made\nCOPY a.txt /\nRUN echo same > /result\n"
        "FROM busybox\nCOPY --from=made /result /\nRUN cat /result > /end\n"
    )
    build(text)
    (context / "a.txt").write_text("b\n")
    found = steps(build(text).stderr)
    assert found["RUN echo same > /result"] == "DONE"
    assert (found["COPY --from=made /result /"], found["RUN cat /result > /end"]) == ("CACHED", "CACHED")


def test_why_a_step_was_not_in_the_cache(build: Build) -> None:
    text = "FROM busybox\nARG V\nRUN echo $V > /v\n"
    build(text, "--build-arg", "V=1")
    told = build(text, "--build-arg", "V=2", "--explain-cache").stderr
    assert "environment: +V=2 -V=1" in told


def test_only_what_the_target_needs(build: Build) -> None:
    text = "FROM busybox AS unused\nRUN false\nFROM busybox AS wanted\nRUN true\nFROM unused\nRUN false\n"
    found = steps(build(text, "--target", "wanted").stderr)
    assert found["RUN true"] == "DONE"
    assert "RUN false" not in found


def test_a_failure_says_where(build: Build) -> None:
    failed = build("FROM busybox\nRUN echo said; echo complained >&2; exit 3\n", status=1)
    message = 'process "/bin/sh -c echo said; echo complained >&2; exit 3" did not complete successfully: exit code: 3'
    assert f"ERROR: {message}\n------\n > [2/2] RUN echo said" in failed.stderr
    account = failed.stderr.rpartition("------\n > ")[2]
    assert re.search(r"^\d+\.\d{3} said$", account, re.MULTILINE)
    assert "Dockerfile:2\n--------------------\n   1 |     FROM busybox\n   2 | >>> RUN echo said" in account
    assert failed.stderr.endswith(f"rootless: failed to build: failed to solve: {message}\n")


def test_a_mistake_in_the_language_says_where(build: Build) -> None:
    failed = build("FROM busybox\nRUNN true\n", status=1)
    assert "   2 | >>> RUNN true" in failed.stderr
    assert "unknown instruction: RUNN (did you mean RUN?)" in failed.stderr


def test_what_scripts_read(build: Build, rootless: Rootless, context: Path, tmp_path: Path) -> None:
    quiet = build("FROM busybox\nLABEL a=b\n", "-q", "-t", "x", "--iidfile", str(tmp_path / "id"),
                  "--metadata-file", str(tmp_path / "metadata"))  # fmt: skip
    identifier = config(rootless, "x")["Id"]
    assert (quiet.stdout, quiet.stderr) == (f"{identifier}\n", "")
    assert (tmp_path / "id").read_text() == identifier
    metadata = json.loads((tmp_path / "metadata").read_text())
    assert metadata["containerimage.config.digest"] == identifier
    assert metadata["image.name"] == "docker.io/library/x:latest"


def test_files_instead_of_an_image(build: Build, rootless: Rootless, context: Path, tmp_path: Path) -> None:
    (context / "a.txt").write_text("a\n")
    text = "FROM scratch\nCOPY a.txt /sub/\n"
    build(text, "-o", str(tmp_path / "out"))
    assert [str(path.relative_to(tmp_path / "out")) for path in sorted((tmp_path / "out").rglob("*"))] == [
        "sub",
        "sub/a.txt",
    ]
    with tarfile.open(fileobj=io.BytesIO(build(text, "-o", "-").raw)) as tar:
        assert tar.getnames() == [".", "sub", "sub/a.txt"]
    assert rootless("images", "-q").lines == rootless("images", "-q", "busybox").lines


def test_a_dockerfile_on_stdin(rootless: Rootless, busybox_image: str) -> None:
    rootless("build", "-q", "-t", "x", "-", stdin="FROM busybox\nRUN echo in > /in\n")
    assert rootless("run", "--rm", "x", "cat", "/in").stdout == "in\n"


@pytest.mark.parametrize("command", [("image", "build"), ("buildx", "build", "--load"), ("builder", "build")])
def test_its_other_names(
    rootless: Rootless, busybox_image: str, context: Path, command: tuple[str, ...]
) -> None:
    (context / "Containerfile").write_text("FROM busybox\n")
    rootless(*command, "-q", "-t", "x", context)
    assert rootless("image", "inspect", "x", "--format", "{{.Os}}").stdout == "linux\n"


def test_every_step_as_json(build: Build) -> None:
    told = build("FROM busybox\nRUN echo hello\n", "--progress=rawjson").stderr
    lines = [json.loads(line) for line in told.splitlines()]
    names = [vertex["name"] for line in lines for vertex in line.get("vertexes", [])]
    assert "[2/2] RUN echo hello" in names
    assert any(log["data"] == "aGVsbG8K" for line in lines for log in line.get("logs", []))


def test_what_is_read_of_the_context_is_told(build: Build, context: Path) -> None:
    """The bytes that were read for this build: of files that are known, none."""
    (context / "a").write_bytes(bytes(100_000))
    (context / "b").write_bytes(bytes(23_456))
    (context / "c").write_bytes(bytes(1000))
    (context / ".dockerignore").write_text("c\n")
    text = "FROM busybox\nCOPY a b /new/\n"
    first = build(text).stderr
    assert "transferring context: 123.46kB" in first
    assert "transferring context: 2B" in first  # the ignore file
    wait_until(lambda: "transferring context: 0B" in build(text).stderr, "a build to which both files are known")
