"""Whose word a text is: the caller's, an image's, or a path inside a container. Below everything.

A user's `-v` may name a directory of the host, an image's VOLUME may not, though both are texts in a document. So
what an image says is an ImageWord, which no grammar takes by mistake, for it is no str, neither to mypy nor to
Python; what may name things of the host takes a UserWord; and where a mount leads to is a GuestPath. Hot path.
"""

from __future__ import annotations

from rootless.record import TYPE_CHECKING, Record

COMPOSE_LABEL = "com.docker.compose."
"""Before every label that compose gives to what it makes."""

if TYPE_CHECKING:
    from typing import NewType

    UserWord = NewType("UserWord", str)
    """What the caller typed, or has in a file that they named: it may speak of the host."""
    GuestPath = NewType("GuestPath", str)
    """Absolute and normal, below the root of a container; never a path of the host."""
else:

    def UserWord(text: str) -> str:
        return text

    GuestPath = UserWord


class ImageWord(Record):
    """What an image says of itself: it speaks of the inside of its own container, or is data.

    Who takes `text` out of it answers for what is done with it.
    """

    text: str = ""


def plain(text: str) -> str:
    """`text` on one line and without control characters, for people to read: what an image, a registry or a
    container says may neither steer a terminal nor look like a line of ours."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else " " if letter in "\t\n" else repr(letter)[1:-1] for letter in text
    )


def plain_lines(text: str) -> str:
    """The same where the lines are ours: ends of lines and tabs stay."""
    return "".join(letter if letter in "\t\n" else plain(letter) for letter in text)


__all__ = ["GuestPath", "ImageWord", "UserWord", "plain", "plain_lines"]
