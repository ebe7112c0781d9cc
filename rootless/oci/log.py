"""Errors, on stderr and with --log in a file that the caller reads; warnings and debug lines, there or else on stderr.

With --log stderr is the container's: what `create` and `exec` were given is what their process has.

With --log-format=json a line is {"level","msg","time"}, which Podman and containerd show; else what logrus
writes. The file is opened for each line: a descriptor that is kept could become one of the container's. Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.errors import RootlessError
    from rootless.oci.arguments import Arguments

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY


class RuntimeLog:
    """Where one command reports."""

    def __init__(self) -> None:
        self.path = ""
        self.json = False
        self.debugging = False

    def open(self, args: Arguments) -> None:
        """Take the options; InvalidInput for a file that cannot be written, whose reader would wait in vain."""
        self.json = args.value("--log-format") == "json"
        self.debugging = args.flag("--debug") or args.value("--log-level") == "debug"
        path = (args.value("--log") or "").removeprefix("file:")
        if path:
            try:
                os.close(os.open(path, _FLAGS, 0o644))
            except OSError as error:
                raise InvalidInput(f"--log: {path}: {(error.strerror or '').lower()}") from None
        self.path = path

    def error(self, error: RootlessError) -> None:
        """Log an error, which is on stderr already."""
        self._write("error", error.message if not error.hint else f"{error.message} ({error.hint})")

    def warn(self, text: str) -> None:
        """Report what was left out, or went wrong and stops nothing."""
        if not self._write("warning", text):
            from rootless.words import plain

            os.write(2, f"rootless-oci: warning: {plain(text)}\n".encode())

    def debug(self, text: str) -> None:
        """What is done, with --debug: in the file, else on stderr."""
        if not self.debugging:
            return
        if self.path:
            self._write("debug", text)
        else:
            os.write(2, f"rootless-oci: debug: {text}\n".encode())

    def _write(self, level: str, message: str) -> bool:
        """Whether there is a file, and it could be opened."""
        if not self.path:
            return False
        import time

        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time()))
        if self.json:
            from rootless import jsontext

            line = jsontext.dumps({"level": level, "msg": message, "time": stamp})
        else:
            line = f'time="{stamp}" level={level} msg={message!r}'
        try:
            fd = os.open(self.path, _FLAGS, 0o644)
        except OSError:
            return False
        try:
            os.write(fd, line.encode() + b"\n")
        finally:
            os.close(fd)
        return True


# One command line is one process.
LOG = RuntimeLog()
