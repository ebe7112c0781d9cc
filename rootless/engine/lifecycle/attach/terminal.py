"""The user's terminal: raw mode, its size, the keys that detach. termios(3), tty_ioctl(4). Hot path."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.linux.terminal import window_size
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"


def size(fd: int) -> tuple[int, int]:
    """Rows and columns of the terminal; (0, 0) where it is none."""
    try:
        return window_size(fd)
    except OSError:
        return 0, 0


class RawMode:
    """The terminal passes every key on unchanged while this is entered; a no-op where `fd` is none."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._saved: list[Any] | None = None

    def __enter__(self) -> RawMode:
        if os.isatty(self.fd):
            import termios
            import tty

            self._saved = termios.tcgetattr(self.fd)
            tty.setraw(self.fd, termios.TCSANOW)
        return self

    def __exit__(self, *_: object) -> None:
        if self._saved is not None:
            import termios

            try:
                termios.tcsetattr(self.fd, termios.TCSADRAIN, self._saved)
            except termios.error:
                pass  # the terminal itself has gone away
            self._saved = None


class DetachKeys:
    """Watches what the user types for the detach sequence; what cannot be part of it passes through."""

    def __init__(self, keys: bytes) -> None:
        self.keys = keys
        self.matched = False
        self._seen = 0

    def feed(self, data: bytes) -> bytes:
        """What of `data` (and of earlier, withheld keys) is for the container. Sets `matched`."""
        out = bytearray()
        for value in data:
            if not self.matched and self.keys and value == self.keys[self._seen]:
                self._seen += 1
                if self._seen == len(self.keys):
                    self.matched = True
                    break
                continue
            out += self.keys[: self._seen]
            self._seen = 0
            if self.keys and value == self.keys[0]:
                self._seen = 1
                if len(self.keys) == 1:
                    self.matched = True
                    break
                continue
            out.append(value)
        return bytes(out)


def parse_detach_keys(word: str) -> DetachKeys:
    """The keys of "ctrl-p,ctrl-q" (Docker's grammar: letters, or ctrl-a..z @ [ \\ ] ^ _)."""
    keys = bytearray()
    for key in word.split(","):
        if key.lower().startswith("ctrl-") and len(key) == 6:
            letter = key[5].upper()
            if not "@" <= letter <= "_":
                raise InvalidInput(f"Unknown character: '{key}' in --detach-keys")
            keys.append(ord(letter) - 64)
        elif len(key) == 1 and key.isascii():
            keys.append(ord(key))
        elif key == "DEL":
            keys.append(127)
        else:
            raise InvalidInput(
                f"Unknown character: '{key}' in --detach-keys", hint="for example ctrl-p,ctrl-q or ctrl-]"
            )
    return DetachKeys(bytes(keys))
