"""Docker's words: every command and option of Docker 28.2 is ours, or is refused with its reason."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rootless.cli.command_table import BY_PATH, COMMANDS, GLOBAL_OPTIONS, NOUNS, CommandEntry, load
from rootless.cli.grammar import refused
from rootless.cli.grammar.command import COUNT, FLAG
from rootless.cli.grammar.parser import parse
from rootless.cli.help.completion import script
from rootless.cli.help.examples import examples
from rootless.cli.help.help import text
from rootless.cli.main import run

DOCKER = {
    path: words.split()
    for path, _, words in (
        line.partition(":")
        for line in (Path(__file__).parent / "docker-28.2.txt").read_text().splitlines()
        if not line.startswith("#")
    )
}
SHARED = sorted(path for path in DOCKER if path in BY_PATH or path == "docker")
LACKING = sorted(path for path in DOCKER if path not in SHARED and path not in NOUNS)


@pytest.mark.parametrize("path", SHARED)
def test_every_option_of_docker_is_ours_or_refused(path: str) -> None:
    options = GLOBAL_OPTIONS if path == "docker" else load(BY_PATH[path]).options
    command = "" if path == "docker" else load(BY_PATH[path]).name
    ours = {name: option for option in options for name in option.names}
    for word in DOCKER[path]:
        for name in word.removesuffix("=").split(","):
            if name not in ours:
                assert refused.flag(command, name) is not None, f"docker {path} {name}"
            elif name.startswith("--"):
                takes_none = ours[name].kind in (FLAG, COUNT) or ours[name].implied is not None
                assert takes_none is not word.endswith("="), f"docker {path} {name} takes a value, or none"


@pytest.mark.parametrize("path", LACKING)
def test_every_command_of_docker_is_ours_or_refused(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split(), "--anything", "x"]) == 1
    error = capsys.readouterr().err
    typed = " ".join(path.split()[:2]) if path.partition(" ")[0] in NOUNS else path.partition(" ")[0]
    assert error.startswith(f"rootless: {typed} is not supported: ")
    assert [line for line in error.splitlines()[1:] if not line.startswith(("hint: ", "      "))] == []


def test_what_is_refused_is_not_what_we_have() -> None:
    assert not refused.COMMANDS.keys() & {*BY_PATH, *NOUNS}
    for command, flags in refused.FLAGS.items():
        options = load(BY_PATH[command]).options if command else GLOBAL_OPTIONS
        assert not flags.keys() & {name for option in options for name in option.names}


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        ("run --link-local-ip 169.254.0.3 bb", "--link-local-ip is not supported: "),
        ("run --runtime nvidia bb", "--runtime nvidia is not supported: rootless has one runtime"),
        ("run --security-opt writable-cgroups=true bb", "--security-opt writable-cgroups=true is not supported: "),
        ("run --security-opt credentialspec=file://x bb", "--security-opt credentialspec=file://x is not"),
        ("run --isolation hyperv bb", "--isolation hyperv is not supported: "),
        ("run --volume-driver nfs bb", "--volume-driver nfs is not supported: "),
        ("run --disable-content-trust=false bb", "--disable-content-trust false is not supported: "),
    ],
)
def test_a_refused_option_of_run(words: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 125
    error = capsys.readouterr().err
    assert error.startswith("rootless: " + begins)
    assert "did you mean" not in error
    assert "\nhint: " in error


@pytest.mark.parametrize(
    "words",
    ["-H tcp://x ps", "--host=unix:///x ps", "-c elsewhere ps", "--context=elsewhere ps", "--tlsverify ps"],
)
def test_a_refused_option_of_the_program(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 1
    assert "is not supported: there is no daemon" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["-c default version", "--context=default version", "--context= version"])
def test_the_context_that_everybody_has(words: str) -> None:
    assert run(words.split()) == 0


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        ("run --nmae x bb", "did you mean --name?"),
        ("run --detahc bb", "did you mean --detach?"),
        ("run --xx bb", None),
        ("run --ap bb", None),
        ("ps --hots", None),
    ],
)
def test_a_guess_is_near_or_not_made(
    words: str, guess: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    run(words.split())
    error = capsys.readouterr().err
    assert error.startswith("rootless: unknown flag: ")
    assert (f"hint: {guess}\n" in error) if guess else ("hint:" not in error)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("run --nv x.sif", "Apptainer's --nv is here --gpus all"),
        ("run -B /a:/b x.sif", "Apptainer's -B is here -v SOURCE:TARGET"),
        ("run --pwd /x x.sif", "Apptainer's --pwd is here -w DIRECTORY"),
        ("run --writable-tmpfs x.sif", "Apptainer's --writable-tmpfs is here left out: that is so by itself"),
    ],
)
def test_apptainers_options(words: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 125
    assert f"\nhint: {hint}\n" in capsys.readouterr().err


def test_what_is_refused_is_not_offered() -> None:
    pages = text("run") + text("") + script("fish")
    for word in (
        "--link-local-ip",
        "--runtime",
        "--isolation",
        "--host ",
        "--context",
    ):
        assert word not in pages, word
    assert "image-inspect" not in pages


@pytest.mark.parametrize("entry", COMMANDS, ids=[entry.name for entry in COMMANDS])
def test_the_examples_are_commands(entry: CommandEntry) -> None:
    """Every command has one; its words are taken by the grammar, up to what the shell takes."""
    command = load(entry)
    shown = examples(entry.name, command)
    assert shown
    for line, meaning in shown:
        assert not meaning.startswith("rootless")
        first = re.split(r" (?:&&|\|\||[|>]|2>) ?", line.replace("$(", "").split("`")[0])[0]
        words = shlex.split(first.partition("  #")[0])
        assert words[0] == "rootless"
        path = next((" ".join(words[1:n]) for n in (4, 3, 2) if " ".join(words[1:n]) in BY_PATH), "")
        assert path, line
        if path in entry.paths:
            parse(command, words[1 + path.count(" ") + 1 :], name=path)
