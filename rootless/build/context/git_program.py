"""The git program with a closed environment, for repositories of strangers.

No configuration but ours is read, no hook or credential helper runs, no transport but http, https, git and ssh
is used, nobody is asked for a password, and whatever it starts ends with us.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator

from rootless import paths
from rootless.errors import NotSupported, RootlessError, Unavailable
from rootless.linux.process import set_pdeathsig

TRANSPORTS = ("http", "https", "git", "ssh")
_MOST_OUTPUT = 16 << 20
_PASSED_ON = (
    "PATH", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_SSH = (
    "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ClearAllForwardings=yes",
    "-o", "PermitLocalCommand=no", "-o", "ProxyCommand=none",
)  # fmt: skip


def _configuration() -> str:
    sections = "[protocol]\n\tallow = never\n"
    sections += "".join(f'[protocol "{name}"]\n\tallow = always\n' for name in TRANSPORTS)
    return sections + (
        "[core]\n\tfsync = committed\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tautocrlf = false\n\tattributesFile = /dev/null\n"
        "\tlogAllRefUpdates = false\n"
        "\texcludesFile = /dev/null\n\taskPass =\n[credential]\n\thelper =\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"
        "[init]\n\tdefaultBranch = main\n\ttemplateDir =\n[advice]\n\tdetachedHead = false\n[safe]\n\tdirectory = *\n"
        "[http]\n\tfollowRedirects = initial\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 120\n"
        "[fetch]\n\trecurseSubmodules = false\n[submodule]\n\trecurse = false\n"
    )


class Git:
    """Runs git with a home of its own below `scratch`, an empty private directory. `hidden` never stands in an error."""

    def __init__(self, scratch: str, *, ssh_socket: str = "", hidden: str = "") -> None:
        home = scratch + "/home"
        os.mkdir(home, 0o700)
        with open(home + "/config", "w", encoding="ascii") as file:
            file.write(_configuration())
        self._hidden = hidden
        self._environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        known_hosts = f"{paths.home()}/.ssh/known_hosts"
        self._environment.update(
            HOME=home, XDG_CONFIG_HOME=home, LC_ALL="C", GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_SYSTEM="/dev/null",
            GIT_CONFIG_GLOBAL=home + "/config", GIT_ATTR_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="false",
            SSH_ASKPASS="false", GIT_LFS_SKIP_SMUDGE="1", GIT_NO_REPLACE_OBJECTS="1",
            GIT_SSH_COMMAND=shlex.join([*_SSH, "-o", f"UserKnownHostsFile={known_hosts}"]),
        )  # fmt: skip
        if ssh_socket:
            self._environment["SSH_AUTH_SOCK"] = ssh_socket

    def run(self, *words: str, doing: str, local: bool = False) -> str:
        """What git prints. `local` lets it read a repository of ours by its path. Unavailable with git's words."""
        with self._start(words, local=local) as process:
            output, errors = process.communicate()
        if process.returncode:
            raise Unavailable(f"cannot {doing}: {self._reason(errors)}", hint=_hint(errors))
        return output[:_MOST_OUTPUT].decode("utf-8", "surrogateescape")

    def succeeds(self, *words: str) -> bool:
        """Whether git exits with 0."""
        with self._start(words, local=False) as process:
            process.communicate()
        return process.returncode == 0

    def records(self, *words: str) -> Iterator[bytes]:
        """What git prints, a NUL-terminated record at a time, however much that is; left early it is killed."""
        with self._start(words, local=False) as process:
            assert process.stdout is not None
            rest = b""
            try:
                while data := os.read(process.stdout.fileno(), 1 << 16):
                    *found, rest = (rest + data).split(b"\0")
                    yield from found
            finally:
                process.kill()
                process.communicate()

    def _start(self, words: tuple[str, ...], *, local: bool) -> subprocess.Popen[bytes]:
        transports = (*TRANSPORTS, "file") if local else TRANSPORTS
        environment = {**self._environment, "GIT_ALLOW_PROTOCOL": ":".join(transports)}
        try:
            return subprocess.Popen(
                ["git", *words], env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, preexec_fn=_in_the_child,
            )  # fmt: skip
        except FileNotFoundError:
            raise NotSupported("git is not installed", hint="install the package git; repositories are fetched with it") from None
        except OSError as error:
            raise RootlessError(f"cannot run git: {error.strerror}") from None

    def _reason(self, errors: bytes) -> str:
        lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))] or lines
        reason = telling[0][:500] if telling else "git says nothing"
        return reason.replace(self._hidden, "...") if self._hidden else reason


def _in_the_child() -> None:
    set_pdeathsig(signal.SIGKILL)
    os.umask(0o022)


def _hint(errors: bytes) -> str | None:
    if b"could not read Username" in errors or b"Authentication failed" in errors or b"terminal prompts" in errors:
        return "the server wants a name and password, or there is no such repository"
    if b"Host key verification failed" in errors:
        return "log in to the host once by ssh, so that its key stands in ~/.ssh/known_hosts"
    if b"Permission denied (publickey" in errors:
        return "give the build an agent that has the key: --ssh default"
    return None
