"""Instructions that change the configuration alone; what is documented of each is its function."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import (
    Arg,
    Cmd,
    Command,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Maintainer,
    Onbuild,
    Origin,
    Shell,
    Stopsignal,
    User,
    Volume,
)
from rootless.build.dockerfile.lint.casing import is_secret
from rootless.build.plan import history, ports, scope
from rootless.build.plan.image_config import Health
from rootless.build.plan.state import DEFAULT_SHELL, StageState

_LONGEST_HISTORY = 1 << 15


def _arg(state: StageState, arg: Arg) -> None:
    """From here on; a --build-arg wins over the default, the global scope is asked where there is neither.

    It sets the variable for the steps that come, also over an ENV that stands above, as BuildKit does; an ENV
    below sets it anew, and is all that the image keeps.
    """
    shown: list[str] = []
    given = state.graph.request.build_args
    for name, default in arg.arguments:
        if is_secret(name):
            state.linter.report("SecretsUsedInArgOrEnv", arg.origin.first, arg.origin.last, "ARG", name)
        value = given.get(name)
        if value is None:
            value = state.graph.arguments.get(name) if default is None else state.word(default, arg.origin)
        if name == "SOURCE_DATE_EPOCH" and state.graph.epoch.seconds is None:
            value = None  # a name whose time is not known yet
        state.arguments[name] = value or ""
        if value is not None and name not in scope.NOT_IN_ENVIRONMENT:
            state.set_variable(name, value)
        shown.append(name if value is None else f"{name}={value}")
    state.metadata(f"ARG {' '.join(shown)}")


def _env(state: StageState, env: Env) -> None:
    """All values are expanded before the first is set."""
    pairs = [(state.word(name, env.origin), state.word(value, env.origin)) for name, value in env.pairs]
    for name, value in pairs:
        if not name or "=" in name:
            raise DockerfileError(f'"{name}" is no name of a variable')
        if is_secret(name):
            state.linter.report("SecretsUsedInArgOrEnv", env.origin.first, env.origin.last, "ENV", name)
        state.set_variable(name, value)
        state.env[name] = value
    state.metadata("ENV " + " ".join(f"{name}={value}" for name, value in pairs))


def _label(state: StageState, label: Label) -> None:
    pairs = [(state.word(name, label.origin), state.word(value, label.origin)) for name, value in label.pairs]
    state.labels.update(pairs)
    state.metadata("LABEL " + " ".join(f"{name}={value}" for name, value in pairs))


def with_shell(state: StageState, command: Command) -> tuple[str, ...]:
    """The command's words, behind the SHELL where it is a text."""
    if not command.shell_form:
        return command.words
    return (*(state.config.shell or DEFAULT_SHELL), " ".join(command.words))


def _once(state: StageState, earlier: Origin | None, origin: Origin) -> Origin:
    """The earlier one is reported, for it is the one that has no effect."""
    if earlier:
        word = earlier.keyword
        state.linter.report("MultipleInstructionsDisallowed", earlier.first, earlier.last, word)
    return origin


def _json_recommended(state: StageState, command: Command, origin: Origin) -> None:
    if command.shell_form and not state.config.shell:
        state.linter.report("JSONArgsRecommended", origin.first, origin.last, origin.keyword)


def _cmd(state: StageState, cmd: Cmd) -> None:
    state.cmd_set = _once(state, state.cmd_set, cmd.origin)
    _json_recommended(state, cmd.command, cmd.origin)
    words = with_shell(state, cmd.command)
    state.config = state.config._replace(cmd=words, args_escaped=True)
    state.metadata(f"CMD {history.quoted(words)}")


def _entrypoint(state: StageState, entrypoint: Entrypoint) -> None:
    """Clears an inherited CMD, not one that this stage has set."""
    state.entrypoint_set = _once(state, state.entrypoint_set, entrypoint.origin)
    _json_recommended(state, entrypoint.command, entrypoint.origin)
    words = with_shell(state, entrypoint.command)
    state.config = state.config._replace(entrypoint=words or None)
    if not state.cmd_set:
        state.config = state.config._replace(cmd=None)
    state.metadata(f"ENTRYPOINT {history.quoted(words)}")


def _shell(state: StageState, shell: Shell) -> None:
    state.config = state.config._replace(shell=shell.words)
    state.metadata(f"SHELL {history.listed(shell.words)}")


def _healthcheck(state: StageState, check: Healthcheck) -> None:
    state.health_set = _once(state, state.health_set, check.origin)
    health = Health(
        check.test, check.interval, check.timeout, check.start_period, check.start_interval, check.retries
    )
    state.config = state.config._replace(health=health)
    state.metadata(f"HEALTHCHECK {history.health(health)}")


def _expose(state: StageState, expose: Expose) -> None:
    place = expose.origin.first, expose.origin.last
    words = tuple(word for port in expose.ports for word in state.expand(port, expose.origin, words=True))
    found = ports.parse(words)
    for word in found.mapped:
        state.linter.report("ExposeInvalidFormat", *place, word)
    for protocol in found.shouted:
        state.linter.report("ExposeProtoCasing", *place, protocol)
    state.exposed.update(dict.fromkeys(found.ports))
    shown = history.listed(found.ports)
    # Thousands of ports are told as the range that they were written as.
    state.metadata(f"EXPOSE {shown if len(shown) < _LONGEST_HISTORY else history.listed(words)}")


def _user(state: StageState, user: User) -> None:
    name = state.word(user.user, user.origin)
    state.config = state.config._replace(user=name)
    state.metadata(f"USER {name}")


def _volume(state: StageState, volume: Volume) -> None:
    paths = [state.word(path, volume.origin) for path in volume.paths]
    if not all(paths):
        raise DockerfileError("VOLUME specified can not be an empty string")
    state.volumes.update(dict.fromkeys(paths))
    state.metadata(f"VOLUME {history.listed(paths)}")


def _stopsignal(state: StageState, stop: Stopsignal) -> None:
    word = state.word(stop.signal, stop.origin)
    if not _is_signal(word):
        raise DockerfileError(f"invalid signal: {word[:100]}")
    state.config = state.config._replace(stop_signal=word)
    state.metadata(f"STOPSIGNAL {word}")


def _is_signal(word: str) -> bool:
    if word.isascii() and word.isdigit():
        return 0 < len(word) < 4 and 1 <= int(word) <= 64
    name = word.upper().removeprefix("SIG")
    for edge, sign in (("RTMIN", "+"), ("RTMAX", "-")):
        base, found, offset = name.partition(sign)
        if base == edge and found:
            return offset.isascii() and offset.isdigit() and len(offset) < 3 and int(offset) <= 30
    return f"SIG{name}" in signal.Signals.__members__


def _maintainer(state: StageState, maintainer: Maintainer) -> None:
    state.config = state.config._replace(author=maintainer.author)
    state.metadata(f"MAINTAINER {maintainer.author}")


def _onbuild(state: StageState, onbuild: Onbuild) -> None:
    state.on_build.append(onbuild.trigger)


EDITS: dict[type, Callable[[StageState, Any], None]] = {
    Arg: _arg,
    Cmd: _cmd,
    Entrypoint: _entrypoint,
    Env: _env,
    Expose: _expose,
    Healthcheck: _healthcheck,
    Label: _label,
    Maintainer: _maintainer,
    Onbuild: _onbuild,
    Shell: _shell,
    Stopsignal: _stopsignal,
    User: _user,
    Volume: _volume,
}
