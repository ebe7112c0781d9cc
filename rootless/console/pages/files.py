"""Files of a container and of a volume: listed, taken away, brought. Nothing of them is ever shown as a page of ours."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from rootless.console.engine_api import Reply
from rootless.console.pages import render
from rootless.console.pages.context import Context
from rootless.console.pages.live import streamed
from rootless.console.request import Answer, Problem, attachment, json_answer
from rootless.record import Record

_BLOCK = 512
_SHAPES = {"directory": "▸", "file": "▫", "link": "↪", "fifo": "–", "socket": "–", "device": "–"}
_NAME_BYTES = 255


class Holder(Record):
    """What has the files. `address`: its pages; `api`: its routes at the engine; `archive`: the one that takes and gives tar streams."""

    name: str
    noun: str
    address: str
    api: tuple[str, ...]
    archive: tuple[str, ...]


def container(name: str) -> Holder:
    """Of the container `name`."""
    return Holder(name, "container", f"/containers/{name}", ("rootless", "containers", name), ("containers", name, "archive"))


def volume(name: str) -> Holder:
    """Of the volume `name`."""
    return Holder(name, "volume", f"/volumes/{name}", ("rootless", "volumes", name), ("rootless", "volumes", name, "archive"))


def _path(context: Context) -> str:
    return context.request.query.get("path") or "/"


async def _listed(context: Context, holder: Holder, path: str) -> dict[str, Any]:
    found: dict[str, Any] = await context.api.get(*holder.api, "files", path=path)
    return found


def _below(directory: str, name: str) -> str:
    return f"{directory.rstrip('/')}/{name}"


async def show(context: Context, holder: Holder) -> Answer:
    """What is at ?path=: a directory's names, or what kind of file it is."""
    found = await _listed(context, holder, _path(context))
    path = found["Path"]
    rows = [
        {
            **_row(each), "path": _below(path, each["Name"]), "command": take_command(holder, _below(path, each["Name"])),
            "id": f"file-{number}",
        }
        for number, each in enumerate(sorted(found["Entries"] or (), key=lambda each: (each["Type"] != "directory", each["Name"])))
    ]  # fmt: skip
    parts = [part for part in path.split("/") if part]
    trail = [("/", "/"), *((part, "/" + "/".join(parts[: number + 1])) for number, part in enumerate(parts))]
    values = {
        "holder": holder, "path": path, "trail": trail, "rows": rows, "more": found["More"], "itself": _row(found["Entry"]),
        "command": take_command(holder, path), "bring": bring_command(holder, path, "FILE"),
        "section": "Containers" if holder.noun == "container" else "Volumes",
    }  # fmt: skip
    return Answer(render.page("files.html", session=context.session, title=f"Files of {holder.name}", **values))


def _row(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": render.one_line(found["Name"]), "type": found["Type"], "shape": _SHAPES.get(found["Type"], "?"), "size": found["Size"],
        "mode": found["Mode"], "owner": f"{found['Uid']}:{found['Gid']}", "modified": found["Modified"][:19].replace("T", " "),
        "target": render.one_line(found["Target"]), "named": found["Named"],
    }  # fmt: skip


def take_command(holder: Holder, path: str) -> str:
    """The command line that takes it away."""
    if holder.noun == "container":
        return render.command("cp", f"{holder.name}:{path}", ".")
    picked = ["--", path.strip("/")] if path != "/" else []
    return f"{render.command('volume', 'export', holder.name)} | {render.one_line(shlex.join(['tar', '-x', *picked]))}"


def bring_command(holder: Holder, path: str, name: str) -> str:
    """The command line that brings a file there."""
    if holder.noun == "container":
        return render.command("cp", name, f"{holder.name}:{path}")
    told = shlex.join(["tar", "-c", *([f"--transform=s,^,{path.strip('/')}/,"] if path != "/" else []), "--", name])
    return f"{render.one_line(told)} | {render.command('volume', 'import', holder.name, '-')}"


async def take_file(context: Context, holder: Holder) -> Answer:
    """The plain file at ?path=, as it is."""
    path = _path(context)

    async def content(reply: Reply) -> AsyncIterator[bytes]:
        async for piece in reply.pieces():
            yield piece

    asked = context.api.open("GET", *holder.api, "file", query={"path": path})
    return await streamed(asked, content, "application/octet-stream", attachment(path.rstrip("/").rpartition("/")[2]))


async def take_archive(context: Context, holder: Holder) -> Answer:
    """What is at ?path= and below it, as a tar stream."""
    found = await _listed(context, holder, _path(context))
    path = found["Path"]

    async def content(reply: Reply) -> AsyncIterator[bytes]:
        async for piece in reply.pieces():
            yield piece

    name = path.rpartition("/")[2] or holder.name
    inside = path.rstrip("/") + "/" if found["Entries"] is not None else path
    asked = context.api.open("GET", *holder.archive, query={"path": inside})
    return await streamed(asked, content, "application/x-tar", attachment(f"{name}.tar"))


async def bring(context: Context, holder: Holder) -> Answer:
    """The body is a file, which becomes ?name= in the directory ?path=."""
    import tarfile  # most consoles never want it

    name = context.request.query.get("name", "")
    if name in ("", ".", "..") or "/" in name or "\0" in name or len(name.encode("utf-8", "replace")) > _NAME_BYTES:
        raise Problem(400, "a file's name is one word without a slash, of at most 255 bytes")
    size = context.request.upload_size()
    found = await _listed(context, holder, _path(context))
    path = found["Path"]
    if found["Entries"] is None:
        raise Problem(400, f"{path} is no directory")
    head = tarfile.TarInfo(name)
    head.size, head.mode = size, 0o644
    start = head.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    end = bytes(-size % _BLOCK + 2 * _BLOCK)

    async def archive() -> AsyncIterator[bytes]:
        yield start
        async for piece in context.request.upload():
            yield piece
        yield end

    query = {"path": path, "noOverwriteDirNonDir": "1"}
    async with context.api.send("PUT", *holder.archive, pieces=archive(), size=len(start) + size + len(end), query=query) as reply:
        await reply.body()
    return json_answer({"command": bring_command(holder, path, name)})


def of(
    holder: Callable[[str], Holder], serve: Callable[[Context, Holder], Awaitable[Answer]]
) -> Callable[[Context, str], Awaitable[Answer]]:
    """A route's handler: `serve` for the files of what `holder` makes of the address's name."""

    async def handler(context: Context, name: str) -> Answer:
        return await serve(context, holder(name))

    return handler
