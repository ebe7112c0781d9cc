"""COPY and ADD."""

from __future__ import annotations

from collections.abc import Callable

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.heredocs import parse_word
from rootless.build.dockerfile.instructions import Copy, Heredoc, Instruction
from rootless.build.dockerfile.parsing import Parsing
from rootless.build.dockerfile.words import json_words, split_blanks


def _copy(parsing: Parsing) -> Copy:
    sources, documents, destination = _sources(parsing)
    flags = parsing.flags_of(
        text=("from", "chown", "chmod"), boolean=("link", "parents"), repeated=("exclude",)
    )
    return Copy(
        parsing.origin,
        sources,
        destination,
        from_=flags.text("from"),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.boolean("link"),
        parents=flags.boolean("parents"),
        excludes=flags.texts("exclude"),
        heredocs=documents,
    )


def _add(parsing: Parsing) -> Copy:
    sources, documents, destination = _sources(parsing)
    flags = parsing.flags_of(
        text=("chown", "chmod", "checksum"), boolean=("link", "keep-git-dir", "unpack"), repeated=("exclude",)
    )
    return Copy(
        parsing.origin,
        sources,
        destination,
        add=True,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.boolean("link"),
        excludes=flags.texts("exclude"),
        checksum=flags.text("checksum"),
        keep_git_dir=flags.maybe("keep-git-dir"),
        unpack=flags.maybe("unpack"),
        heredocs=documents,
    )


def _sources(parsing: Parsing) -> tuple[tuple[str, ...], tuple[Heredoc, ...], str]:
    """Paths, heredocs and the destination."""
    words = json_words(parsing.rest)
    heredocs = {document.name: document for document in parsing.heredocs} if words is None else {}
    arguments = split_blanks(parsing.rest) if words is None else words
    if len(arguments) < 2:
        raise DockerfileError(
            f"{parsing.name} requires at least two arguments, but only one was provided."
            " Destination could not be determined."
        )
    *sources, destination = arguments
    if words is None and parse_word(destination):
        raise DockerfileError(f"{parsing.name} cannot accept a heredoc as a destination")
    paths: list[str] = []
    documents: list[Heredoc] = []
    for source in sources:
        asked = parse_word(source) if heredocs else None
        if asked and asked.name in heredocs:
            documents.append(heredocs[asked.name])
        else:
            paths.append(source)
    return tuple(paths), tuple(documents), destination


PARSERS: dict[str, Callable[[Parsing], Instruction]] = {"add": _add, "copy": _copy}
