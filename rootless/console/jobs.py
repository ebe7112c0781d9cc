"""What the API has not, done by our own command line as the same user: compose, and builds of a directory. The page shows the line."""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator

from rootless import paths
from rootless.console.request import Problem

MOST = 4
"""At a time, whoever looks."""
LINE_LIMIT = 4096
"""Bytes of a line that are shown."""
CHECK_S = 60.0
"""Seconds that a check of a file may take."""
_OUTPUT_LIMIT = 64 * 1024
_READ_SIZE = 64 * 1024
_AHEAD = 1000


class Job:
    """A command line at work. It goes on to its end where the page is left: half a project is no project."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._left = False

    async def pump(self) -> None:
        """Take what it says, for `lines`, to the end."""
        assert self._process.stdout, "begun with a pipe"
        rest = b""
        while data := await self._process.stdout.read(_READ_SIZE):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                await self._say(line[:LINE_LIMIT])
            rest = rest[:LINE_LIMIT]
        if rest:
            await self._say(rest)
        await self._process.wait()
        await self._say(None)

    async def _say(self, line: bytes | None) -> None:
        if not self._left:
            await self._lines.put(line)

    async def lines(self) -> AsyncIterator[bytes]:
        """Its lines as they come, cut at LINE_LIMIT, both streams in their order."""
        while (line := await self._lines.get()) is not None:
            yield line

    async def leave(self) -> None:
        """Nobody reads any more."""
        self._left = True
        while not self._lines.empty():
            self._lines.get_nowait()

    @property
    def status(self) -> int:
        """Its exit status, once its lines are over."""
        return -1 if self._process.returncode is None else self._process.returncode


class Jobs:
    """All that are at work. Problem 429 where there are too many."""

    def __init__(self) -> None:
        self._running: dict[Process, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._running)

    async def begin(self, words: list[str], *, directory: str) -> Job:
        """`rootless WORDS` in a directory that is there."""
        process = await self._start(words, directory, DEVNULL)
        job = Job(process)
        task = asyncio.ensure_future(job.pump())
        self._running[process] = task
        task.add_done_callback(lambda _: self._running.pop(process, None))
        return job

    async def check(self, words: list[str], *, directory: str, stdin: bytes) -> tuple[int, str]:
        """`rootless WORDS` with a text to read: exit status, and what it says, cut. Ended after CHECK_S seconds."""
        process = await self._start(words, directory, PIPE)
        task = asyncio.ensure_future(_talk(process, stdin))
        self._running[process] = task  # type: ignore[assignment]
        try:
            async with asyncio.timeout(CHECK_S):
                said = await task
        except TimeoutError:
            return 1, f"it took longer than {CHECK_S:.0f} seconds"
        finally:
            del self._running[process]
            if process.returncode is None:
                process.kill()
            await process.wait()
        return process.returncode or 0, said.decode("utf-8", "replace")

    async def _start(self, words: list[str], directory: str, stdin: int) -> Process:
        if len(self._running) >= MOST:
            raise Problem(429, f"{MOST} commands are at work: wait for one to end")
        environment = {**os.environ, "NO_COLOR": "1"}
        try:
            # In a session of its own: a Ctrl-C is for the console, which ends it in its turn.
            return await asyncio.create_subprocess_exec(
                *paths.own_program(), *words, stdin=stdin, stdout=PIPE, stderr=STDOUT, cwd=directory, env=environment,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Problem(400, f"{directory}: {error.strerror}") from None

    async def close(self) -> None:
        """End all of them: the console ends."""
        for process, task in list(self._running.items()):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            task.cancel()
            await process.wait()


async def _talk(process: Process, stdin: bytes) -> bytes:
    assert process.stdin
    assert process.stdout, "begun with pipes"
    with contextlib.suppress(ConnectionError):  # it has read enough
        process.stdin.write(stdin)
        await process.stdin.drain()
    process.stdin.close()
    said = b""
    while data := await process.stdout.read(_READ_SIZE):
        said = (said + data)[:_OUTPUT_LIMIT]
    await process.wait()
    return said
