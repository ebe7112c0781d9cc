"""Images: fetched, listed, named, sent, loaded, removed.

What speaks to registries, and reads and writes archives, is imported where it is wanted: a quarter of the zygote's memory.
"""

from __future__ import annotations

import json
from typing import Any

from rootless.api.answer import images as summaries
from rootless.api.request.fields import Fields
from rootless.api.request.registry import credentials
from rootless.api.routes.progress import ProgressStream
from rootless.api.routes.route import ACTS, CHANGES, READS, STREAMS, Call, Reply, Route
from rootless.api.routes.tar_bodies import TAR, body, clients, output
from rootless.engine.images import budget, listing, lookup, removal
from rootless.engine.state.events import events
from rootless.engine.views import image as view
from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.image import platforms, reference

_LARGEST_SEARCH = 100


def list_all(call: Call) -> Reply:
    """GET /images/json."""
    query = call.query
    filters = query.filters(listing.FILTERS)
    if word := query.word("filter"):
        filters["reference"] = [word]
    return Reply(summaries.rows(call.store, filters, containers=query.flag("shared-size")))


def inspect(call: Call) -> Reply:
    """GET /images/{name}/json."""
    found = view.inspect(call.store, call.words["name"], platform=_platform(call))
    if call.version < (1, 45):
        found |= {"Container": "", "ContainerConfig": _OF_NO_CONTAINER}
    return Reply(found)


_OF_NO_CONTAINER: dict[str, Any] = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False, "Tty": False,
    "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": None, "Image": "", "Volumes": None, "WorkingDir": "",
    "Entrypoint": None, "OnBuild": None, "Labels": None,
}  # fmt: skip
"""What moby tells clients before 1.45 of the container that an image was made of; docker-compose 1 fails without."""


def _platform(call: Call) -> str:
    """`platform` of a query: os/arch/variant, or JSON of the same (from 1.48 on)."""
    word = call.query.word("platform")
    if not word.startswith("{"):
        return word
    try:
        fields = Fields.of(json.loads(word), "platform")
    except (ValueError, RecursionError):
        raise InvalidInput("invalid platform: it is no JSON") from None
    return "/".join(part for part in (fields.text("os"), fields.text("architecture"), fields.text("variant")) if part)


def create(call: Call) -> None:
    """POST /images/create: pull, or import from the body."""
    from rootless.engine.images import pushing
    from rootless.image.registry import catalog

    query = call.query
    source = query.word("fromSrc")
    if source:
        _import(call, source)
        return
    name, tag = str(query.word("fromImage")), str(query.word("tag"))
    if not name:
        raise InvalidInput("fromImage or fromSrc has to be given")
    wanted = reference.parse(name)
    untagged = not wanted.digest and pushing.is_untagged(name)
    if tag:
        separator = "@" if tag.startswith("sha256:") else ":"
        base = name if untagged else wanted.familiar_name()
        names = [f"{base}{separator}{tag}"]
    elif untagged:
        names = [f"{name}:{each}" for each in catalog.tags(wanted)]
    else:
        names = [name]
    progress = ProgressStream(call)
    try:
        for each in names:
            _pull(call, progress, each)
    except RootlessError as error:
        progress.fail(error)
        return
    progress.end()


def _pull(call: Call, progress: ProgressStream, text: str) -> None:
    wanted = reference.parse(text)
    progress.hold({"status": f"Pulling from {wanted.familiar_name()}", "id": wanted.tag or wanted.digest or "latest"})
    try:
        before = lookup.find(call.store, text, all_names=False).id
    except RootlessError:
        before = ""
    image = lookup.pull(
        call.store, text, platform=_platform(call) or None, progress=progress,
        credentials=credentials(call.header("x-registry-auth")),
    )  # fmt: skip
    fresh = "Image is up to date for" if before == image.id else "Downloaded newer image for"
    progress.line({"status": f"Digest: {lookup.digest_of(image)}"})
    progress.line({"status": f"Status: {fresh} {wanted.familiar()}"})


def _import(call: Call, source: str) -> None:
    from rootless.image.archive.import_tar import import_tar

    query = call.query
    if source != "-":
        raise NotSupported("import reads the request's body, not addresses", hint=f"curl -fL {source} | docker import -")
    name = str(query.word("repo"))
    if name and (tag := query.word("tag")):
        name = f"{name}:{tag}"
    progress = ProgressStream(call, quiet=True)
    wanted = _platform(call)
    with budget.kept(call.store), clients():
        image = import_tar(
            call.store, "-", name or None, change=query.words("changes"), message=query.word("message"),
            platform=platforms.parse(wanted) if wanted else None, stdin=body(call),
        )  # fmt: skip
    events.write(call.store, "image", "import", image.id, name=lookup.familiar(image.names[0]) if image.names else "")
    progress.line({"status": image.id})
    progress.end()


def history(call: Call) -> Reply:
    """GET /images/{name}/history."""
    steps = listing.history(call.store, call.words["name"], platform=_platform(call))
    names = view.inspect(call.store, call.words["name"])["RepoTags"]
    return Reply(
        [
            {
                "Id": step.id or "<missing>",
                "Created": int(step.created),
                "CreatedBy": step.created_by,
                "Tags": names if step.id and names else None,
                "Size": step.size,
                "Comment": step.comment,
            }
            for step in steps
        ]
    )


def give_name(call: Call) -> Reply:
    """POST /images/{name}/tag."""
    repository, tag = call.query.word("repo"), call.query.word("tag")
    lookup.tag(call.store, call.words["name"], f"{repository}:{tag}" if tag else repository)
    return Reply(b"", 201)


def delete(call: Call) -> Reply:
    """DELETE /images/{name}."""
    try:
        removed = removal.remove(call.store, call.words["name"], force=call.query.flag("force"))
    finally:
        removal.collect(call.store)
    return Reply([{"Untagged": name} for name in removed.untagged] + [{"Deleted": each} for each in removed.deleted])


def prune(call: Call) -> Reply:
    """POST /images/prune: dangling ones, or with dangling=false all that no container uses."""
    gone = removal.prune(call.store, every=False, filters=call.query.filters(removal.PRUNE_FILTERS))
    deleted: list[dict[str, str]] = []
    for identifier in gone.ids:
        deleted += [{"Untagged": name} for name in gone.names.get(identifier, ())]
        deleted.append({"Deleted": identifier})
    return Reply({"ImagesDeleted": deleted, "SpaceReclaimed": gone.reclaimed_bytes})


def load(call: Call) -> None:
    """POST /images/load."""
    from rootless.image.archive.load import load as load_archive

    progress = ProgressStream(call, quiet=call.query.flag("quiet"))
    wanted = _platform(call)
    budget.configured()  # a value that is none is told before anything is done
    try:
        with clients():
            loaded = load_archive(
                call.store, "-", platform=platforms.parse(wanted) if wanted else None, progress=progress, stdin=body(call)
            )
    except RootlessError as error:
        progress.fail(error)
        return
    for one in loaded:
        events.write(call.store, "image", "load", one.image.id, name=lookup.familiar(one.names[0]) if one.names else "")
        for name in one.names:
            progress.line({"stream": f"Loaded image: {lookup.familiar(name)}\n"})
        if not one.names:
            progress.line({"stream": f"Loaded image ID: {one.image.id}\n"})
    budget.keep(call.store)
    progress.end()


def save(call: Call) -> None:
    """GET /images/{name}/get, and /images/get with names."""
    from rootless.engine.images import saving

    names = [call.words["name"]] if "name" in call.words else call.query.words("names")
    names = [part for name in names for part in name.split(",") if part]  # type: ignore[misc]
    if not names:
        raise InvalidInput("no image is named")
    out = output(call)
    saving.stream(call.store, names, out, _platform(call), begin=lambda: call.exchange.begin(TAR))
    out.flush()
    call.exchange.end()


def push(call: Call) -> None:
    """POST /images/{name}/push."""
    from rootless.engine.images import pushing

    name, tag = str(call.words["name"]), str(call.query.word("tag"))
    every = not tag and pushing.is_untagged(name)
    targets = pushing.choose(call.store, f"{name}:{tag}" if tag else name, all_tags=every)
    progress = ProgressStream(call)
    progress.hold({"status": f"The push refers to repository [{targets[0].name.name}]"})
    try:
        for target in targets:
            pushed = pushing.push(
                call.store, target, platform=_platform(call), progress=progress,
                credentials=credentials(call.header("x-registry-auth")),
            )  # fmt: skip
            digest, size, told = pushed.descriptor.digest, pushed.descriptor.size, target.name.tag or "latest"
            progress.line({"status": f"{told}: digest: {digest} size: {size}"})
            progress.line({"progressDetail": {}, "aux": {"Tag": told, "Digest": digest, "Size": size}})
    except RootlessError as error:
        progress.fail(error)
        return
    progress.end()


def search(call: Call) -> Reply:
    """GET /images/search."""
    from rootless.image.registry import catalog

    term, limit = call.query.word("term"), call.query.number("limit", 25) or 25
    filters = call.query.filters(("is-automated", "is-official", "stars"))
    if not term or not term.isprintable() or any(letter.isspace() for letter in term):
        raise InvalidInput(f"invalid search term: {term!r}")
    if not 1 <= limit <= _LARGEST_SEARCH:
        raise InvalidInput(f"invalid limit {limit}: limit must be in the range of [1, 100]")
    least = max((int(word) for word in filters.get("stars", ()) if word.isdecimal() and len(word) < 10), default=0)
    official = {word in ("true", "1") for word in filters.get("is-official", ())}
    return Reply(
        [
            {
                "name": hit.name, "description": hit.description, "star_count": hit.stars, "is_official": hit.official,
                "is_automated": False,
            }
            for hit in sorted(catalog.search(term, limit=limit), key=lambda hit: -hit.stars)
            if hit.stars >= least and (not official or hit.official in official)
        ]
    )  # fmt: skip


ROUTES: tuple[Route, ...] = (
    Route("GET", "/images/json", list_all, CHANGES),
    Route("POST", "/images/create", create, STREAMS),
    Route("POST", "/images/load", load, STREAMS),
    Route("POST", "/images/prune", prune, CHANGES),
    Route("GET", "/images/search", search, ACTS),
    Route("GET", "/images/get", save, STREAMS),
    Route("GET", "/images/{name*}/json", inspect, READS),
    Route("GET", "/images/{name*}/history", history, READS),
    Route("GET", "/images/{name*}/get", save, STREAMS),
    Route("POST", "/images/{name*}/tag", give_name, ACTS),
    Route("POST", "/images/{name*}/push", push, STREAMS),
    Route("DELETE", "/images/{name*}", delete, CHANGES),
)
