"""--ssh: which agents a build has."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rootless.errors import InvalidInput, NotFound
from rootless.storage import staging
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.build.ssh.agent import KeyAgent


class AgentSource(NamedTuple):
    """The socket of an agent, or else files of keys for one."""

    socket: str = ""
    keys: tuple[str, ...] = ()


def parse(word: str) -> tuple[str, AgentSource]:
    """One --ssh word, `default` or `ID[=SOCKET|KEY[,KEY...]]`: the id, and where its agent is. InvalidInput; NotFound
    for a file that is not there. Keys are read when the build begins."""
    name, _, given = word.partition("=")
    if not given:
        given = os.environ.get("SSH_AUTH_SOCK", "")
        if not given:
            raise InvalidInput(
                f'invalid empty ssh agent socket: "{name}"',
                hint=f"start an agent (ssh-agent), or name its socket or a key: --ssh {name or 'default'}=FILE",
            )
        return name or "default", _of([given], word)
    return name or "default", _of(given.split(","), word)


def _of(given: list[str], word: str) -> AgentSource:
    found: tuple[list[str], list[str]] = [], []
    for each in given:
        path = os.path.abspath(os.path.expanduser(each))
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            raise NotFound(f"--ssh {word}: {path}: {error.strerror}") from None
        found[stat.S_ISSOCK(mode)].append(path)
    keys, sockets = found
    if sockets and keys:
        raise InvalidInput(f"--ssh {word}: invalid combination of keys and sockets", hint="one --ssh for each, with ids of their own")
    if len(sockets) > 1:
        raise InvalidInput(f"--ssh {word}: only single socket allowed", hint="one --ssh for each, with ids of their own")
    return AgentSource(sockets[0]) if sockets else AgentSource(keys=tuple(keys))


def parse_all(words: list[str]) -> dict[str, AgentSource]:
    """Of all --ssh words, by id."""
    found: dict[str, AgentSource] = {}
    for word in words:
        name, source = parse(word)
        if name in found:
            raise InvalidInput(f'duplicate agent ID "{name}"', hint="several keys of one id: --ssh ID=KEY,KEY")
        found[name] = source
    return found


@contextmanager
def sockets(store: Store, sources: dict[str, AgentSource]) -> Iterator[dict[str, str]]:
    """A socket for each id until the context is left; keys are served by an agent of our own. Errors as keys.load."""
    with ExitStack() as stack:
        yield {name: source.socket or _served(store, source.keys, stack) for name, source in sources.items()}


def _served(store: Store, paths: tuple[str, ...], stack: ExitStack) -> str:
    from rootless.build.ssh import keys
    from rootless.build.ssh.agent import KeyAgent, served

    def connect() -> Callable[[], KeyAgent]:
        agent = KeyAgent([keys.load(path) for path in paths])
        return lambda: agent

    return stack.enter_context(served(stack.enter_context(staging.directory(store, "agent")), connect))
