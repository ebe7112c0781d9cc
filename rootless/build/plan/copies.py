"""COPY and ADD as a step: sources by kind, and words that are checked before anything is copied."""

from __future__ import annotations

import posixpath

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Copy
from rootless.build.dockerfile.quantities import integer
from rootless.build.plan.graph import from_source
from rootless.build.plan.remote import remote_source
from rootless.build.plan.sources import CONTEXT, Source
from rootless.build.plan.state import StageState
from rootless.build.plan.steps import CopySource, CopyStep, GitSource, HttpSource, InlineSource, PathSource


def _check_checksum(instruction: Copy, remote: int) -> None:
    """--checksum is of one remote source."""
    if instruction.checksum:
        if len(instruction.sources) + len(instruction.heredocs) != 1:
            raise DockerfileError("checksum can't be specified for multiple sources")
        if not remote:
            raise DockerfileError("checksum requires HTTP(S) or Git sources")


def check_chmod(text: str) -> None:
    """An octal number, or `u=rwX,go-w` as chmod(1) has it."""
    wrong = DockerfileError(
        f"invalid chmod parameter: '{text[:100]}'. it should be octal string and between 0 and 07777",
        hint="write for example --chmod=755, or --chmod=u=rwX,go=rX",
    )
    if text[:1].isdigit():
        mode = integer(text, base=8)
        if mode is None or mode > 0o7777:
            raise wrong
        return
    for clause in text.split(","):
        who = clause.lstrip("ugoa")
        if who[:1] not in ("+", "-", "=") or not who:
            raise wrong
        for part in who.replace("-", "+").replace("=", "+").split("+")[1:]:
            if set(part) - set("rwxXst") and part not in ("u", "g", "o"):
                raise wrong


def plan_copy(state: StageState, copy: Copy) -> None:
    """Append the step and its history."""
    word = "ADD" if copy.add else "COPY"
    sources = [state.word(source, copy.origin) for source in copy.sources]
    destination = state.word(copy.destination, copy.origin)
    chown, chmod = state.word(copy.chown, copy.origin), state.word(copy.chmod, copy.origin)
    checksum = state.word(copy.checksum, copy.origin)
    if chmod:
        check_chmod(chmod)
    found = _sources(state, copy, sources, checksum)
    _check_checksum(copy, sum(isinstance(source, HttpSource | GitSource) for source in found))
    shown = [
        word,
        *(["--parents"] if copy.parents else []),
        *([f"--chown={chown}"] if chown else []),
        *([f"--chmod={chmod}"] if chmod else []),
        *sources,
        *(f"<<{document.name}" for document in copy.heredocs),
        destination,
    ]
    step = CopyStep(
        state.place(copy.origin, state.shown(copy.origin.text, keep=False)),
        found,
        _destination(state.config.workdir or "/", destination),
        copy.add,
        chown,
        chmod,
        copy.link,
        copy.parents,
        copy.excludes,
        copy.unpack,
    )
    state.step(step, " ".join(shown) + " # buildkit")


def _sources(state: StageState, copy: Copy, words: list[str], checksum: str) -> tuple[CopySource, ...]:
    """In order; paths that stand side by side are one source, heredocs come last."""
    graph = state.graph
    from_: Source = CONTEXT
    if copy.from_:
        from_ = from_source(copy.from_, graph.names, len(graph.nodes), graph.request)
    found: list[CopySource] = []
    for word in words:
        remote = remote_source(word, copy, checksum)
        if remote and not copy.add:
            kind = "a git ref" if isinstance(remote, GitSource) else "a URL"
            raise DockerfileError(f"source can't be {kind} for COPY")
        if remote:
            found.append(remote)
        elif found and isinstance(found[-1], PathSource):
            found[-1] = PathSource(from_, (*found[-1].patterns, word))
        else:
            found.append(PathSource(from_, (word,)))
    for document in copy.heredocs:
        content = state.document(document.content, copy.origin) if document.expand else document.content
        found.append(InlineSource(document.name, content))
    return tuple(found)


def _destination(workdir: str, path: str) -> str:
    """Absolute. A slash at the end says that it is a directory, and so do `.`, `x/.` and nothing at all."""
    absolute = posixpath.normpath(posixpath.join("/", workdir, path))
    absolute = "/" + absolute.lstrip("/")
    directory = path in ("", ".", "..") or path.endswith(("/", "/.", "/.."))
    return absolute + "/" if directory and absolute != "/" else absolute
