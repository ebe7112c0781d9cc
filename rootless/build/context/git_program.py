"""The git program with a closed environment, for repositories of strangers.

No configuration but ours is read, no hook or credential helper but git's own runs, no transport but http, https, git and ssh
is used, nobody is asked for a password, and whatever it starts ends with us. What a server sends without end is
bounded: in one file by RLIMIT_FSIZE, in many by a look at the free space, in memory by RLIMIT_DATA, in words by us.
"""

from __future__ import annotations

import os
import resource
import select
import shlex
import signal
import subprocess
from collections.abc import Iterator

from rootless import paths
from rootless.errors import NotSupported, RootlessError, Unavailable
from rootless.linux.process import set_pdeathsig

TRANSPORTS = ("http", "https", "git", "ssh")
_MOST_OUTPUT = 16 << 20
_MOST_ERRORS = 64 << 10
_LONGEST_RECORD = 64 << 10
_MOST_MEMORY = 2 << 30
_LOOK_MS = 250
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
        "\tlogAllRefUpdates = false\n\tbigFileThreshold = 32m\n"
        "\texcludesFile = /dev/null\n\taskPass =\n[credential]\n\thelper =\n\thelper = store\n"
        "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"
        "[init]\n\tdefaultBranch = main\n\ttemplateDir =\n[advice]\n\tdetachedHead = false\n[safe]\n\tdirectory = *\n"
        "[http]\n\tfollowRedirects = initial\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 120\n"
        "[fetch]\n\trecurseSubmodules = false\n\tunpackLimit = 1\n[submodule]\n\trecurse = false\n"
    )


class NoRoom(RootlessError):
    """More came than there is room for."""

    def __init__(self, doing: str) -> None:
        super().__init__(
            f"cannot {doing}: it is larger than there is room for",
            hint="free space (`rootless system prune`) or move ROOTLESS_ROOT to a larger file system",
        )


def room(path: str) -> int:
    """How much may be written there: a little of the file system is left to others."""
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize * 49 // 50


class Git:
    """Runs git with a home of its own below `scratch`, an empty private directory of the file system that it is to write
    to. `hidden` never stands in an error. What is too large is NoRoom, whatever is called."""

    def __init__(self, scratch: str, *, ssh_socket: str = "", hidden: str = "") -> None:
        home = scratch + "/home"
        os.mkdir(home, 0o700)
        with open(home + "/config", "w", encoding="ascii") as file:
            file.write(_configuration())
        self._scratch, self._home = scratch, home
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

    def run(self, *words: str, doing: str, local: bool = False, given: str = "") -> str:
        """What git prints. `local` lets it read a repository of ours by its path, `given` is its input. Unavailable
        with git's words."""
        with self._start(words, local=local, given=given) as process:
            output, errors = self._read(process, doing)
        if process.returncode:
            raise Unavailable(f"cannot {doing}: {self._reason(errors)}", hint=_hint(errors))
        return output.decode("utf-8", "surrogateescape")

    def succeeds(self, *words: str, doing: str = "run git") -> bool:
        """Whether git exits with 0."""
        with self._start(words, local=False) as process:
            self._read(process, doing)
        return process.returncode == 0

    def records(self, *words: str) -> Iterator[bytes]:
        """What git prints, a NUL-terminated record at a time, however much that is; left early it is killed.
        Unavailable where it is not all that git would have said."""
        with self._start(words, local=False, errors=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            rest = b""
            try:
                while data := os.read(process.stdout.fileno(), 1 << 16):
                    *found, rest = (rest + data).split(b"\0")
                    if len(rest) > _LONGEST_RECORD:
                        raise Unavailable("the repository has longer names than any file can have")
                    yield from found
                if process.wait():
                    raise Unavailable("git cannot read the repository")
            finally:
                process.kill()
                process.communicate()

    def _read(self, process: subprocess.Popen[bytes], doing: str) -> tuple[bytes, bytes]:
        """What it prints, and of its errors the first and the last; its end is waited for. NoRoom, Unavailable."""
        assert process.stdout is not None and process.stderr is not None  # noqa: PT018
        output, errors = process.stdout.fileno(), process.stderr.fileno()
        said = {output: b"", errors: b""}
        poller = select.poll()
        for fd in said:
            poller.register(fd, select.POLLIN)
        left, most = len(said), room(self._scratch)
        try:
            while left:
                ready = poller.poll(_LOOK_MS)
                if room(self._scratch) < most // 49:
                    raise NoRoom(doing)
                for fd, _ in ready:
                    data = os.read(fd, 1 << 16)
                    said[fd] += data
                    if not data:
                        poller.unregister(fd)
                        left -= 1
                if len(said[output]) > _MOST_OUTPUT:
                    raise Unavailable(f"cannot {doing}: more than {_MOST_OUTPUT >> 20} MB of names came")
                if len(said[errors]) > _MOST_ERRORS:
                    said[errors] = said[errors][: _MOST_ERRORS // 4] + said[errors][-_MOST_ERRORS // 4 :]
            if process.wait() and b"File too large" in said[errors]:
                raise NoRoom(doing)
            return said[output], said[errors]
        except BaseException:
            process.kill()
            raise

    def _start(
        self, words: tuple[str, ...], *, local: bool, errors: int = subprocess.PIPE, given: str = ""
    ) -> subprocess.Popen[bytes]:
        largest, memory = room(self._scratch), _MOST_MEMORY

        def in_the_child() -> None:
            set_pdeathsig(signal.SIGKILL)
            os.umask(0o022)
            _lower(resource.RLIMIT_FSIZE, largest)
            _lower(resource.RLIMIT_DATA, memory)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error that git tells, not its death

        shown = self._without_passwords(words)
        transports = (*TRANSPORTS, "file") if local else TRANSPORTS
        environment = {**self._environment, "GIT_ALLOW_PROTOCOL": ":".join(transports)}
        try:
            with open(self._home + "/input", "w+", encoding="utf-8", errors="surrogateescape") as file:
                file.write(given)
                file.seek(0)
                return subprocess.Popen(
                    ["git", *shown], env=environment, cwd="/", stdin=file, stdout=subprocess.PIPE,
                    stderr=errors, preexec_fn=in_the_child,
                )  # fmt: skip
        except FileNotFoundError:
            raise NotSupported("git is not installed", hint="install the package git; repositories are fetched with it") from None
        except OSError as error:
            raise RootlessError(f"cannot run git: {error.strerror}") from None

    def _without_passwords(self, words: tuple[str, ...]) -> list[str]:
        """The words, and what passwords are in their addresses where git's own helper finds them (git-credential-store(1)): arguments are
        everybody's on the machine to read, git's and those of the programs that it starts."""
        shown, known = [], []
        for word in words:
            scheme, _, rest = word.partition("://")
            user, at, host = rest.partition("/")[0].rpartition("@")
            if scheme in ("http", "https") and at and ":" in user:
                known.append(f"{scheme}://{user}@{host}\n")
                word = f"{scheme}://{rest[len(user) + 1 :]}"
            shown.append(word)
        with open(self._home + "/.git-credentials", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(known)
        return shown

    def _reason(self, errors: bytes) -> str:
        lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))] or lines
        reason = telling[0][:500] if telling else "git says nothing"
        return reason.replace(self._hidden, "...") if self._hidden else reason


def _lower(limit: int, most: int) -> None:
    hard = resource.getrlimit(limit)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


def _hint(errors: bytes) -> str | None:
    if b"could not read Username" in errors or b"Authentication failed" in errors or b"terminal prompts" in errors:
        return "the server wants a name and password, or there is no such repository"
    if b"Host key verification failed" in errors:
        return "log in to the host once by ssh, so that its key stands in ~/.ssh/known_hosts"
    if b"Permission denied (publickey" in errors:
        return "give the build an agent that has the key: --ssh default"
    return None
