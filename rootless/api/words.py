"""A word of a request. Below everything of the API.

A client of the API is the user, but it stands elsewhere: its paths are not relative to our working directory, `~` is
not its home, and its environment is not ours. So what a request says is an ApiWord: a str to everybody, but no UserWord
to the engine's grammars of the command line, which know a caller's directory and environment. What makes one of the
other has looked at it (request/mounts.py).
"""

from __future__ import annotations

from typing import NewType

ApiWord = NewType("ApiWord", str)
"""Valid UTF-8 without NUL; any other character may be in it."""
