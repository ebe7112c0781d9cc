"""Run by test_hostile_words.py as a program of its own: every option of every command with each hostile word.

A fork for each option, in which `main.run` is called; what ends in anything but a status and lines of ours is printed
as a line of JSON. argv: the directory of the trial, the part of the cases (N/M) that is this process's, and one in how many
words an option meets: which ones is its name's to say, so that the options of a kind meet all of them.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import rootless
from rootless.cli import main
from rootless.cli.command_table import COMMANDS, GLOBAL_OPTIONS, load
from rootless.cli.flags.container_request import to_request
from rootless.cli.grammar.command import COUNT, FLAG, Command, Option
from rootless.cli.grammar.parser import HelpWanted, parse
from rootless.cli.output import messages
from rootless.engine.lifecycle import create, create_rules, network, spec
from rootless.engine.options import clock
from rootless.errors import RootlessError
from rootless.runtime.process.capabilities import DEFAULT_CAPABILITIES
from rootless.storage.images import Image

LIMIT_S = 20
LONG = "x" * 131_000  # what execve(2) takes as one word
WORDS = (
    "", os.fsdecode(b"\xff"), os.fsdecode(b"a\xed\xa0\x80/b"), "a=\xff,b=" + os.fsdecode(b"\xff"), LONG, f"/{LONG}", f"a={LONG}",
    "1" + "0" * 30, "9" * 5000, "-1", "0", "\u0663", "\xb2", "0x10", "1e3", "nan", "1_0", " 5", "+5", "1:2", "1-0", "99999-1",
    "a=b=c", "=", ":", ",", "::::", "a:b:c:d", "\n", "a\nrootless: b", "\x1b[2J", "\u202e\u009b", "\ud7ff\U0001f600",
    "/", "/..", "../..", "~", "@/etc/passwd", "%s", "{{", "{{.}}", "{{range .}}", '"', '"a', 'type=bind,"', "*", "[", "\\", "-", "--",
    "localhost:1/x", "sha256:" + "0" * 64, "host", "container:", "container:cc",
)  # fmt: skip
# What would go to the network, or is for ever by its meaning: only its words are read.
READ_ONLY = ("bootstrap", "search", "unshare", "login", "system reset", "stats", "pod stats", "console")
SAFE = {"events": ["--until", "0s"], "system service": ["--print-env"], "compose stats": ["--no-stream"]}
FOR_EVER = {("events", "--until"), ("system service", "--print-env"), ("compose stats", "--no-stream")}
IMAGE = Image("sha256:" + "1" * 64, ("x",), ("sha256:" + "2" * 64,), {"config": {"Cmd": ["x"]}}, {}, 0)


def cases(step: int) -> Iterator[tuple[str, Command, str, list[list[str]]]]:
    """(command, its table, option or "", the words after the command, once for each hostile word that it meets)."""
    for entry in COMMANDS:
        command = load(entry)
        usual, before = usual_arguments(entry.name, command), SAFE.get(entry.name, [])
        for option in (*command.options, *(GLOBAL_OPTIONS if entry.name == "version" else ())):
            lines = [[*before, *given(option, word), *usual] for word in met(f"{entry.name} {option.names[-1]}", step)]
            yield entry.name, command, option.names[-1], lines
        if command.max_args != 0:
            yield entry.name, command, "", [[*before, "--", *[word] * max(1, command.min_args)] for word in met(entry.name, step)]


def met(name: str, step: int) -> tuple[str, ...]:
    """One in `step` of the words, beginning where the name says."""
    return WORDS[zlib.crc32(name.encode()) % step :: step]


def given(option: Option, word: str) -> list[str]:
    if option.kind in (FLAG, COUNT) or option.implied is not None:
        return [f"{option.names[-1]}={word}"]
    return [option.names[-1], word]


def usual_arguments(name: str, command: Command) -> list[str]:
    """Something that is there where that is harmless, something that is not where the command would change it."""
    if command.min_args == 0:
        return []
    looks = name in ("inspect", "container inspect", "logs", "port", "diff", "top", "healthcheck run", "update")
    return ["cc" if looks else "localhost:1/nosuch"] * command.min_args


def trial(name: str, command: Command, option: str, words: list[str]) -> int:
    if name in ("run", "create"):
        return status_of(lambda: as_far_as_the_start(command, words))
    if name == "events" and (name, option) in FOR_EVER:
        return status_of(lambda: (clock.parse_moment(parse(command, words).until), 0)[1])
    if name in READ_ONLY or (name, option) in FOR_EVER:
        return status_of(lambda: parse(command, words) and 0)
    if name == "version" and option in {each.names[-1] for each in GLOBAL_OPTIONS}:
        return main.run([*words, "version"])
    return main.run([*name.split(), *words])


def as_far_as_the_start(command: Command, words: list[str]) -> int:
    """All that a start reads of the words, and no process."""
    record = create.make_record(to_request(parse(command, words)), IMAGE)
    create_rules.check(record)
    json.loads(json.dumps(record))
    if record["network"]["mode"] in ("slirp4netns", "host", "none", "bridge"):
        network.write_etc(record, ".")
    configuration = spec.build(record, spec.StartFacts("/c", "/v", {}, DEFAULT_CAPABILITIES))
    json.dumps(configuration)
    return 0


def status_of(verb: Callable[[], object]) -> int:
    """As main.run has it, without the command."""
    messages.make_output_safe()
    try:
        verb()
    except RootlessError as error:
        return main._report(error, None)
    except OSError as error:
        return main._report_os(error, None)
    except HelpWanted:
        return 0
    return 0


def child(directory: Path, name: str, command: Command, option: str, lines: list[list[str]]) -> None:
    """Each line in turn; tells on descriptor 9 which one it is at, and what was wrong with it."""
    told = os.open(directory / "told", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(told, 2)
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    environment = dict(os.environ)
    for at, words in enumerate(lines):
        os.truncate(told, 0)
        os.lseek(told, 0, os.SEEK_SET)
        os.write(9, f"{at}\n".encode())
        signal.alarm(LIMIT_S)
        try:
            status = trial(name, command, option, words)
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 - that is what is looked for
            import traceback

            status = 99
            traceback.print_exc()
        sys.stderr.flush()
        signal.alarm(0)
        os.environ.clear()
        os.environ.update(environment)
        said = os.pread(told, 1 << 20, 0).decode(errors="surrogateescape")
        if wrong := judge(said, 0 if status == 1 and name.endswith(" exists") else status):
            os.write(9, json.dumps([at, wrong]).encode() + b"\n")
    os._exit(0)


def judge(told: str, status: int) -> str:
    """What is wrong with it; "" for nothing."""
    if "internal error" in told or "Traceback" in told or status == 99:
        return told[-2500:]
    if not all(letter.isprintable() or letter in "\n\t" for letter in told):
        return "steers the terminal: " + ascii(told[:400])
    return f"status {status} without a word" if status and not told else ""


def try_all(directory: Path, name: str, command: Command, option: str, lines: list[list[str]]) -> Iterator[tuple[int, str]]:
    """(line, what is wrong with it); a child that does not come back is followed by another for the rest."""
    begin = 0
    while begin < len(lines):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reader)
            os.dup2(writer, 9)
            child(directory, name, command, option, lines[begin:])
        os.close(writer)
        at = 0
        with open(reader, encoding="ascii") as file:
            for line in file:
                found = json.loads(line)
                if isinstance(found, int):
                    at = found
                else:
                    yield begin + found[0], found[1]
        _, status = os.waitpid(pid, 0)
        if not status:
            return
        yield begin + at, f"ended with wait status {status}"
        begin += at + 1


def main_of_driver(directory: Path, part: int, parts: int, step: int) -> None:
    for module in pkgutil.walk_packages(rootless.__path__, "rootless."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)  # once, and not in every child
    gc.freeze()
    begun, count = time.monotonic(), 0
    for number, (name, command, option, lines) in enumerate(cases(step)):
        if number % parts != part:
            continue
        count += len(lines)
        for at, wrong in try_all(directory, name, command, option, lines):
            shown = [word if len(word) < 60 else word[:50] + "..." for word in lines[at]]
            print(json.dumps({"command": name, "words": shown, "wrong": wrong}), flush=True)
    print(json.dumps({"cases": count, "seconds": round(time.monotonic() - begun, 1)}), flush=True)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    place, _, of = sys.argv[2].partition("/")
    main_of_driver(Path(sys.argv[1]), int(place), int(of), int(sys.argv[3]))
