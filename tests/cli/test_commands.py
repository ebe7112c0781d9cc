"""The command tables agree with each other, and every error becomes a line and a status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootless.cli.command_table import BY_PATH, COMMANDS, NOUNS, CommandEntry, load
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command
from rootless.cli.grammar.suggest import closest, edits
from rootless.cli.help import completion, docs
from rootless.cli.help import help as page
from rootless.cli.main import run
from rootless.cli.output.errors import translate
from rootless.cli.output.messages import exit_status
from rootless.errors import CommandNotFound, NotFound

ENTRIES = pytest.mark.parametrize("entry", COMMANDS, ids=[entry.name for entry in COMMANDS])


@ENTRIES
def test_a_command_is_what_the_table_says(entry: CommandEntry) -> None:
    command = load(entry)
    assert isinstance(command, Command)
    assert (command.name, command.summary) == (entry.name, entry.summary)
    names = [name for option in command.options for name in option.names]
    assert len(names) == len(set(names)), "an option's name is taken twice"
    dests = [option.dest for option in command.options]
    assert len(dests) == len(set(dests)), "two options write one dest"
    assert "--help" not in names
    for option in command.options:
        assert option.kind in (FLAG, VALUE, LIST, "count")
        assert option.names[-1].startswith("--"), "every option has a long name, written last"
        assert option.help or option.hidden or option.deprecated


@ENTRIES
def test_help_fits_the_terminal(entry: CommandEntry) -> None:
    text = page.text(entry.name, width=80)
    assert text.startswith(f"Usage:  rootless {entry.name}")
    for line in text.partition("Options:")[2].partition("Examples:")[0].splitlines():
        assert len(line) <= 80


def test_every_path_is_there_once() -> None:
    assert len(BY_PATH) == sum(len(entry.paths) for entry in COMMANDS)
    assert all(path.partition(" ")[0] in NOUNS for path in BY_PATH if " " in path)


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["psx"], 1, "rootless: unknown command: rootless psx\n\nDid you mean this?\n\tps\n"),
        (["image", "lss"], 1, "rootless: unknown command: rootless image lss\n\nDid you mean this?\n\tls\n"),
        (["xyzzy"], 1, "rootless: unknown command: rootless xyzzy\n\nRun 'rootless --help'"),
        (["--nope"], 125, "rootless: unknown flag: --nope\n"),
        (["--log-level", "x", "version"], 125, 'rootless: unable to parse logging level: "x"\n'),
        (["version", "--detail"], 125, "rootless: unknown flag: --detail\n"),
        (
            ["version", "x"],
            1,
            "rootless: 'rootless version' accepts no arguments\n\nUsage:  rootless version [OPTIONS]",
        ),
        (["tag", "a"], 1, "rootless: 'rootless tag' requires 2 arguments\n"),
        (["version", "-f", "{{.Nope"], 64, "rootless: template parsing error: template: :1: unclosed action\n"),
    ],
)
def test_mistakes(words: list[str], status: int, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == status
    out, err = capsys.readouterr()
    assert err.startswith(error)
    assert out == ""


@pytest.mark.parametrize(
    "words", [[], ["--help"], ["help"], ["image"], ["image", "--help"], ["help", "image", "ls"]]
)
def test_help_is_no_mistake(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    assert capsys.readouterr().out.startswith("Usage:  rootless")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-v"]) == 0
    assert capsys.readouterr().out.startswith("rootless version ")
    assert run(["version", "-f", "{{.Client.Version}}"]) == 0
    assert capsys.readouterr().out[0].isdigit()


def raising(error: BaseException) -> CommandEntry:
    """A command that does nothing but fail, put into the table."""
    import types

    def handler(args: Args) -> int:
        raise error

    name = "rootless.cli.commands.failing"
    module = types.ModuleType(name)
    module.COMMAND = Command("failing", "Fail", "", (), handler)  # type: ignore[attr-defined]
    sys.modules[name] = module
    return CommandEntry(("failing",), "failing", "Fail")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (
            NotFound("No such image: x", hint="pull it\nor not"),
            1,
            "rootless: No such image: x\nhint: pull it\n      or not\n",
        ),
        (CommandNotFound("x"), 1, "rootless: x\n"),
        (
            OSError(28, "No space left on device", "/x"),
            1,
            "rootless: no space left on / (",
        ),
        (OSError(30, "Read-only file system", "/x"), 1, "rootless: / ("),
        (PermissionError(13, "Permission denied", "/x"), 1, "rootless: permission denied: /x\n"),
        (KeyboardInterrupt(), 130, ""),
        (
            ZeroDivisionError("division\nby zero"),
            125,
            "rootless: internal error: ZeroDivisionError: division by zero\nhint: ",
        ),
    ],
)
def test_the_ladder(
    error: BaseException,
    status: int,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BY_PATH, "failing", raising(error))
    monkeypatch.delenv("ROOTLESS_DEBUG", raising=False)
    assert run(["failing"]) == status
    err = capsys.readouterr().err
    assert err.startswith(text)
    assert "Traceback" not in err


def test_debug_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BY_PATH, "failing", raising(ZeroDivisionError()))
    monkeypatch.setenv("ROOTLESS_DEBUG", "")
    assert run(["--debug", "failing"]) == 125
    assert "Traceback" in capsys.readouterr().err


def test_statuses_by_kind() -> None:
    assert [exit_status(CommandNotFound("x"), kind) for kind in ("plain", "exec", "run")] == [1, 127, 127]
    assert [exit_status(NotFound("x"), kind) for kind in ("plain", "exec", "run")] == [1, 1, 125]


def test_an_unknown_error_of_the_kernel_keeps_its_words() -> None:
    assert translate(OSError(40, "Too many levels of symbolic links", "/a")).message == (
        "too many levels of symbolic links: /a"
    )


def command_line(words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    line = "unset PYTHONUNBUFFERED; " + words.replace("ROOTLESS", f"{sys.executable} -m rootless.cli")
    return subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False, env=env
    )


def test_a_reader_that_leaves_is_no_error() -> None:
    result = command_line("(ROOTLESS --help; echo $? >&2) | true")
    assert result.stderr in ("141\n", "0\n")


def test_a_full_disk_behind_stdout_is_told() -> None:
    result = command_line("ROOTLESS version > /dev/full")
    assert result.returncode == 1
    assert result.stderr == "rootless: cannot write the output: No space left on device\n"


def test_closed_streams_do_not_crash() -> None:
    assert command_line("ROOTLESS version >&- 2>&-").returncode in (0, 1)


def test_a_locale_that_cannot_spell() -> None:
    result = command_line("LC_ALL=C PYTHONIOENCODING=ascii ROOTLESS version --format '{{\"é日\"}}'")
    assert (result.returncode, result.stdout) == (0, "\\xe9\\u65e5\n")


def test_suggestions() -> None:
    assert edits("stats", "start") == 2
    assert edits("sotp", "stop") == 1
    assert closest("imgaes", ["images", "image", "info"])[0] == "images"
    assert closest("x", ["run", "ps"]) == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("rootless ver", ["version"]),
        ("rootless volume ", ["create", "exists", "export", "import", "inspect", "ls", "prune", "rm"]),
        ("rootless completion ", ["bash", "zsh", "fish"]),
        ("rootless images --no", ["--no-trunc", "--noheading"]),
        ("rootless --con", ["--config"]),
        ("rootless run --isol", []),
        ("rootless run --gp", ["--gpus"]),
        ("rootless run --link-l", []),
        ("rootless netw", ["network"]),
        ("rootless ps --filter stat", ["status="]),
        ("rootless pod ps --filter na", ["name="]),
        ("rootless run -v ./si", ["file,./si"]),
        ("rootless --root /tmp volume l", ["ls"]),
    ],
)
def test_completion(line: str, offered: list[str]) -> None:
    environment = {
        **os.environ, "COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), completion.VARIABLE: "bash_complete",
    }  # fmt: skip
    result = command_line("ROOTLESS", env=environment)
    assert [word.removeprefix("plain,") for word in result.stdout.split()] == offered


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_completion_scripts_name_us(shell: str) -> None:
    text = completion.script(shell)
    assert completion.VARIABLE in text
    assert "rootless" in text


@pytest.mark.parametrize("alias", ["alias docker=rootless", ""])
def test_bash_completes_an_alias_of_ours(alias: str, tmp_path: Path) -> None:
    """It asks the program that the alias means; without an alias `docker` is nothing of ours."""
    program = tmp_path / "rootless"
    program.write_text("#!/bin/sh\necho plain,$(echo \"$COMP_WORDS\" | tail -n 1)us=\n")
    program.chmod(0o755)
    lines = f"""{alias}
        compopt() {{ echo compopt "$1" "$2"; }}
        {completion.script("bash")}
        complete -p docker 2>/dev/null
        COMP_WORDS=(docker ps --filter stat) COMP_CWORD=3
        _rootless_completion docker
        echo "${{COMPREPLY[@]}}"
    """
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    shown = subprocess.run(["bash", "-c", lines], text=True, capture_output=True, check=False, env=environment).stdout
    for text in ("-F _rootless_completion docker", "status=", "compopt -o nospace"):
        assert (text in shown) == bool(alias), shown


def test_bash_reads_its_script() -> None:
    result = subprocess.run(
        ["bash", "-n"], input=completion.script("bash"), text=True, capture_output=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_pages_are_what_the_commands_say() -> None:
    directory = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "cli")
    assert docs.main(["--check", directory]) == 0, "run: python -m rootless.cli.help.docs docs/cli"


@pytest.mark.parametrize("path", ["", "system", "run", "compose up", "cp"])
@pytest.mark.parametrize("width", [60, 80, 200])
def test_help_keeps_to_the_width_of_the_terminal(path: str, width: int) -> None:
    """But for what is typed as it stands: usage and examples."""
    told = page.text(path, width=width).partition("\nExamples:\n")[0]
    typed = ("Usage:", "        rootless", "  rootless ", "Run 'rootless")
    assert [line for line in told.splitlines() if len(line) > width and not line.startswith(typed)] == []
