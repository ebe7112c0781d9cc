"""The installed `rootless` command, run as users run it: checked status, a limit in time, no warnings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, NamedTuple

from tests.harness.account import SYSTEM_PATH
from tests.need import must_work, need, without_range

TIMEOUT_S = 60.0
WARNING = re.compile(r"^(rootless:\s*)?warn(ing)?\b", re.IGNORECASE | re.MULTILINE)
KEPT = (
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ",
)  # fmt: skip


JOB = tuple(name for name in ("SLURM_JOB_ID",) if name in os.environ)
ONE_ID = re.compile(r"^rootless: warning: containers have one real user id, .*\n(  .*\n)*", re.MULTILINE)


class Result(NamedTuple):
    """What a command did. `stdout` and `stderr` are text; `raw` is stdout's bytes."""

    status: int
    stdout: str
    stderr: str
    raw: bytes

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.stdout.splitlines()


def installed() -> list[str]:
    """The command under test: $ROOTLESS_TEST_COMMAND, or beside our interpreter, or on the PATH.

    While developing, with none installed, the checkout itself.
    """
    named = os.environ.get("ROOTLESS_TEST_COMMAND")
    if named:
        return named.split()
    beside = os.path.join(os.path.dirname(sys.executable), "rootless")
    if os.access(beside, os.X_OK):
        return [beside]
    found = shutil.which("rootless")
    if found:
        return [found]
    need(not must_work(), "the rootless command is not installed")
    return [sys.executable, "-c", "import sys; from rootless.cli.main import main; sys.exit(main())"]


class Rootless:
    """`rootless("run", ...)` runs the command in a store and runtime directory of its own.

    `root` is ROOTLESS_ROOT, `runtime` is XDG_RUNTIME_DIR. The expected exit status is always
    checked, and so is that nothing on stderr is a warning, unless `warns=True`.

    As a user without a range there is no XDG_RUNTIME_DIR, SLURM_JOB_ID is as in the tests' own environment, and the warning of
    ids that are emulated is no part of what a test sees: the first command of a session has it.
    """

    def __init__(self, root: Path, runtime: Path) -> None:
        self.root = root
        self.runtime = runtime
        self.argv = installed()
        self.started: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What the command sees: nothing of the tests' own environment that could colour it."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        development = {} if len(self.argv) == 1 else {"PYTHONPATH": str(Path(__file__).parents[2])}
        return {
            **kept,
            **development,
            "HOME": str(Path.home()),
            "USER": os.environ.get("USER", ""),
            "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            **({name: os.environ[name] for name in JOB} if without_range() else {"XDG_RUNTIME_DIR": str(self.runtime)}),
            "ROOTLESS_ROOT": str(self.root),
        }

    @property
    def sockets(self) -> Path:
        """RUNTIME: where the command has its sockets and locks."""
        return self.sockets_of_job(os.environ[JOB[0]] if JOB and without_range() else "")

    def sockets_of_job(self, number: str) -> Path:
        """The same for a command of a batch job of Slurm's."""
        job = f"-job-slurm-{number}" if number else ""
        if not without_range():
            return self.runtime / f"rootless{job}"
        ours = f"rootless-{os.getuid()}"
        return Path("/tmp", ours, *([ours + job] if job else []))

    def __call__(
        self,
        *args: str | Path,
        status: int | None = 0,
        stdin: bytes | str | IO[Any] | None = None,
        timeout: float = TIMEOUT_S,
        env: dict[str, str] | None = None,
        cwd: Path | str | None = None,
        warns: bool = False,
    ) -> Result:
        """Run to the end. `status=None` takes any; `env` is added; stdin is /dev/null unless given."""
        argv = [*self.argv, *map(str, args)]
        data = stdin.encode() if isinstance(stdin, str) else stdin
        fed: dict[str, Any] = {"input": data} if isinstance(data, bytes) else {}
        if not fed:
            fed["stdin"] = data if data is not None else subprocess.DEVNULL
        done = subprocess.run(
            argv,
            capture_output=True,
            timeout=timeout,
            env={**self.environment, **(env or {})},
            cwd=cwd,
            **fed,
        )
        stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if without_range():
            stderr = ONE_ID.sub("", stderr)
        result = Result(done.returncode, stdout, stderr, done.stdout)
        told = f"rootless {' '.join(map(str, args))}\nstdout: {stdout}\nstderr: {stderr}"
        for defect in ("Traceback (most recent call last)", "internal error"):
            assert defect not in stderr, told
        assert status is None or done.returncode == status, f"status {done.returncode}, not {status}: {told}"
        assert warns or status is None or not WARNING.search(stderr), f"unexpected warning: {told}"
        return result

    def start(
        self, *args: str | Path, env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start and do not wait; the streams are pipes unless told otherwise. Ended after the test."""
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, subprocess.PIPE)
        process = subprocess.Popen(
            [*self.argv, *map(str, args)], env={**self.environment, **(env or {})}, **options
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what `start` started and a test did not wait for."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
