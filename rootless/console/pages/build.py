"""Building an image: of a directory of this machine, of a Dockerfile that is typed, of an archive that is brought; with its log."""

from __future__ import annotations

import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from rootless.console.engine_api import Reply
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.pages.live import logged_in, streamed
from rootless.console.pages.projects import output
from rootless.console.request import Answer, Problem

KIND = "application/x-ndjson"
_LINE_LIMIT = 4096


async def show(context: Context) -> Answer:
    """The forms."""
    values = {"home": os.path.expanduser("~"), "command": render.command("build", "-t", "NAME", "DIRECTORY")}
    return Answer(render.page("build.html", session=context.session, title="Build an image", **values))


async def make(context: Context) -> Answer:
    """{"tag", "directory", "file"}: of a directory, by our command line, which goes on where the page is left. {"tag", "text"}: of a
    Dockerfile alone, by the API, which ends with the page. {"command"}, {"line"}s, {"image": its id}, {"exit"}, a document a line."""
    form = await context.request.document()
    tag, text = _text(form, "tag"), _text(form, "text")
    if not tag:
        raise Problem(400, "say what the image is to be called")
    if text:
        archive = _archive(text.encode("utf-8", "replace"))

        async def pieces() -> AsyncIterator[bytes]:
            yield archive

        asked = context.api.send("POST", "build", pieces=pieces(), size=len(archive), query={"t": tag})
        return await _by_api(context, asked, render.command("build", "-t", tag, "-"))
    directory, file = _text(form, "directory"), _text(form, "file")
    if not directory.startswith("/") or "\0" in directory + file + tag or not os.path.isdir(directory):
        raise Problem(400, "say which directory of this machine, from / on: /home/you/site; or write a Dockerfile")
    words = ["build", "-t", tag, *(["-f", os.path.join(directory, file)] if file else []), directory]
    job = await context.jobs.begin(words, directory=directory)

    async def lines() -> AsyncIterator[bytes]:
        async for line in output(context, job, render.command(*words)):
            if b'"exit": 0' in line and json.loads(line) == {"exit": 0}:
                found = await context.api.get("images", tag, "json")
                yield _document(image=found["Id"].removeprefix("sha256:"))
            yield line

    return Answer(lines(), KIND, end=job.leave)


async def bring(context: Context) -> Answer:
    """The body is the context, a tar archive, plain or compressed; ?tag= the name."""
    tag = context.request.query.get("tag", "").strip()
    if not tag:
        raise Problem(400, "say what the image is to be called")
    asked = context.api.send(
        "POST", "build", pieces=context.request.upload(), size=context.request.upload_size(), query={"t": tag}
    )
    return await _by_api(context, asked, render.command("build", "-t", tag, "-") + " < FILE")


async def _by_api(context: Context, asked: AbstractAsyncContextManager[Reply], command: str) -> Answer:
    async def lines(reply: Reply) -> AsyncIterator[bytes]:
        yield _document(command=command)
        image, problem = "", ""
        async for line in reply.lines():
            if not logged_in(context):
                return
            found = json.loads(line)
            problem = problem or str(found.get("error") or "")
            image = str((found.get("aux") or {}).get("ID") or image)
            said = str(found.get("stream") or found.get("error") or "")
            for each in said.splitlines():
                yield _document(line=render.printable(each[:_LINE_LIMIT]))
        if image and not problem:
            yield _document(image=image.removeprefix("sha256:"))
        yield _document(exit=1 if problem or not image else 0)

    try:
        return await streamed(asked, lines, KIND)
    except Problem as refused:
        if refused.status not in (400, 404):
            raise
        # What the Dockerfile has wrong: said where the log would be.
        said = [_document(command=command), *(_document(line=render.printable(each)) for each in refused.text.splitlines())]
        return Answer(b"".join([*said, _document(exit=1)]), KIND)


def _document(**found: Any) -> bytes:
    return json.dumps(found).encode() + b"\n"


def _text(form: dict[str, Any], key: str) -> str:
    found = form.get(key, "")
    if not isinstance(found, str):
        raise Problem(400, "a field of the form is no text")
    return found if key == "text" else found.strip()


def _archive(dockerfile: bytes) -> bytes:
    import tarfile  # most consoles never want it

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        head = tarfile.TarInfo("Dockerfile")
        head.size = len(dockerfile)
        archive.addfile(head, io.BytesIO(dockerfile))
    return out.getvalue()
