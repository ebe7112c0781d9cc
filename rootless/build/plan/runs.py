"""RUN as a step: its process, its environment, its mounts, its heredocs."""

from __future__ import annotations

import posixpath

from rootless.build.dockerfile import mounts
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.heredocs import parse_word
from rootless.build.dockerfile.instructions import Command, Run
from rootless.build.dockerfile.mounts import MountWords
from rootless.build.dockerfile.parse_run import parse_device
from rootless.build.plan import history, scope
from rootless.build.plan.config_edits import with_shell
from rootless.build.plan.controls import controls
from rootless.build.plan.graph import from_source
from rootless.build.plan.sources import CONTEXT, Scratch, Source
from rootless.build.plan.state import StageState
from rootless.build.plan.steps import Mount, PipeFile, RunStep

_PIPES = "/dev/pipes"


def plan_run(state: StageState, run: Run) -> None:
    """Append the step and its history."""
    command, files = _command(run)
    words = with_shell(state, command)
    if any("\0" in word for word in words):
        raise DockerfileError("a NUL character is in no file's name, argument or variable")
    request = state.graph.request
    text = run.origin.text
    if files or (run.heredocs and parse_word(run.command.words[0])):
        text += f" ({_summary(run.heredocs[0].content)})"
    network = run.network if run.network not in ("", "default") else request.network or "default"
    ssh: list[str] = []
    planned = tuple(_mount(state, run, mount, ssh) for mount in run.mounts)
    shown = {name: state.variables.get(name, value) for name, value in state.arguments.items()}
    step = RunStep(
        state.place(run.origin, state.shown(text, keep=True)),
        words,
        tuple(state.variables.items()),
        state.config.workdir or "/",
        state.config.user,
        planned,
        network,
        run.security or "sandbox",
        tuple(parse_device(device) for device in run.devices),
        files,
        scope.proxies(request.build_args),
    )
    state.step(step, history.run(shown, words) + " # buildkit")


def _command(run: Run) -> tuple[Command, tuple[PipeFile, ...]]:
    """What is executed. A lone heredoc is the shell's text, or a program of its own where it begins with `#!`.

    Beside other words heredocs are given back to the shell, which understands them itself.
    """
    if not run.heredocs:
        return run.command, ()
    text = run.command.words[0]
    if parse_word(text):
        document = run.heredocs[0]
        if document.content.startswith("#!"):
            if "/" in document.name or document.name in (".", ".."):
                raise DockerfileError(f'a heredoc that is executed cannot be called "{document.name}"')
            path = f"{_PIPES}/{document.name}"
            return Command((path,), True), (PipeFile(path, document.content),)
        return Command((document.content,), True), ()
    documents = "".join(f"\n{document.content}{document.name}" for document in run.heredocs)
    return Command((text + documents,), True), ()


def _summary(content: str) -> str:
    """The first line, for the vertex."""
    first, newline, _ = content.strip().partition("\n")
    return first.rstrip("\r") + ("..." if newline else "")


def _mount(state: StageState, run: Run, text: str, ssh: list[str]) -> Mount:
    words = mounts.parse(text, lambda value: state.word(value, run.origin))
    source = _source(state, words)
    if source is not None and source is not CONTEXT and not isinstance(source, Scratch):
        state.needs[source] = None
    if words.type == "secret":
        return _secret(state, words)
    if words.type == "ssh":
        ssh.append(text)
        target = words.target or f"/run/buildkit/ssh_agent.{len(ssh) - 1}"
        mode = 0o600 if words.mode is None else words.mode
        return Mount(
            "ssh", _absolute(state, target), id=words.id or "default", required=words.required, mode=mode,
            uid=words.uid or 0, gid=words.gid or 0,
        )  # fmt: skip
    target = _absolute(state, words.target)
    if target == "/":
        raise DockerfileError(f'invalid mount target "{target}"')
    path = posixpath.normpath("/" + words.source)
    path = "/" + path.lstrip("/")
    if words.type == "tmpfs":
        return Mount("tmpfs", target, read_only=bool(words.read_only), size_bytes=words.size_bytes)
    if words.type == "bind":
        return Mount("bind", target, path, source, words.read_only is not False)
    name = words.id or posixpath.normpath(words.target or "/")
    space = controls(state.graph.request.build_args).cache_mount_namespace
    return Mount(
        "cache", target, path, source, bool(words.read_only), f"{space}/{name}" if space else name,
        words.sharing or "shared", mode=0o755 if words.mode is None else words.mode, uid=words.uid or 0,
        gid=words.gid or 0,
    )  # fmt: skip


def _source(state: StageState, words: MountWords) -> Source | None:
    if words.type in ("tmpfs", "secret", "ssh"):
        return None
    if not words.from_:
        return CONTEXT if words.type == "bind" else None
    graph = state.graph
    return from_source(words.from_, graph.names, len(graph.nodes), graph.request, by_number=False)


def _secret(state: StageState, words: MountWords) -> Mount:
    """Its id is said, or the source, or the target's last part; a file where a target is said or no variable is."""
    name = words.id or words.source or posixpath.basename(words.target.rstrip("/"))
    target = words.target
    if not target and words.env is None:
        target = f"/run/secrets/{posixpath.basename(name)}"
    if words.env is not None and (not words.env or "=" in words.env):
        raise DockerfileError(f'"{words.env}" is no name of a variable')
    return Mount(
        "secret", _absolute(state, target) if target else "", id=name, required=words.required,
        mode=0o400 if words.mode is None else words.mode, uid=words.uid or 0, gid=words.gid or 0, env=words.env or "",
    )  # fmt: skip


def _absolute(state: StageState, path: str) -> str:
    joined = posixpath.normpath(posixpath.join("/", state.config.workdir or "/", path))
    return "/" + joined.lstrip("/")
