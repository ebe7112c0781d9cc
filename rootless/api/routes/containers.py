"""Containers: listed, made, looked at, renamed, changed, removed."""

from __future__ import annotations

from rootless.api.answer import containers as summaries
from rootless.api.request.container import to_request
from rootless.api.request.host_config import restart as restart_policy
from rootless.api.request.resources import refuse, resources
from rootless.api.routes.found import container
from rootless.api.routes.route import ACTS, CHANGES, EMPTY, READS, Call, Reply, Route
from rootless.engine.files import changes
from rootless.engine.images import lookup
from rootless.engine.lifecycle import architecture, prune, remove, rename, update, user_defaults
from rootless.engine.lifecycle import create as creating
from rootless.engine.lifecycle.request import Request
from rootless.engine.state import listing
from rootless.engine.views import container as view
from rootless.engine.views import container_filters, top
from rootless.errors import InvalidInput, NotFound
from rootless.image import platforms
from rootless.image.run_config import read as read_run_config
from rootless.session import session
from rootless.storage import images
from rootless.storage.containers import removal
from rootless.storage.images import Image


def list_all(call: Call) -> Reply:
    """GET /containers/json."""
    query = call.query
    filters = query.filters(container_filters.FILTERS)
    limit = query.number("limit")
    every = query.flag("all") or limit > 0 or "status" in filters or "exited" in filters
    tests = container_filters.tests(call.store, filters)
    rows = [row for row in listing.rows(call.store, every=every) if all(test(row) for test in tests)]
    if limit > 0:
        rows = rows[:limit]
    _see_sizes(call)
    return Reply([summaries.summary(call.store, row, size=query.flag("size")) for row in rows])


def _see_sizes(call: Call) -> None:
    """What containers have written belongs to ids of the session."""
    if call.query.flag("size"):
        session.join()


def inspect(call: Call) -> Reply:
    """GET /containers/{id}/json."""
    _see_sizes(call)
    return Reply(view.inspect(call.store, container(call), size=call.query.flag("size")))


def create(call: Call) -> Reply:
    """POST /containers/create. An image that is not here is 404, at which clients pull it and come again."""
    store, query = call.store, call.query
    request = to_request(store, call.body, name=query.word("name"), platform=query.word("platform"))
    warnings = [*creating.warnings(request), *user_defaults.unlimited(request.resources, request.cgroups)]
    remove.sweep(store)
    found = lookup.ensure(store, request.image, policy="never", platform=request.platform or None, quiet=True)
    with store.lease():
        # Nothing is collected from here on until there is a container that refers to the image.
        image = found if found.published else images.find(store, found.id, all_names=False)
        identifier = creating.create(store, _with_image_command(request, image), image)
    warnings += _of_platform(request, image)
    return Reply({"Id": identifier, "Warnings": warnings}, 201)


def _with_image_command(request: Request, image: Image) -> Request:
    """An entrypoint that is empty on purpose leaves the image's command, where none is given (moby's merge)."""
    if request.entrypoint == [] and not request.cmd:
        return request._replace(cmd=[word.text for word in read_run_config(image.config.get("config")).cmd])
    return request


def _of_platform(request: Request, image: Image) -> list[str]:
    if request.platform or not architecture.foreign(image):
        return []
    return [
        f"The requested image's platform ({platforms.of(image.config)}) does not match the detected host platform "
        f"({platforms.host()}) and no specific platform was requested"
    ]


def delete(call: Call) -> Reply:
    """DELETE /containers/{id}."""
    if call.query.flag("link"):
        raise InvalidInput("there are no links between containers that could be removed")
    try:
        identifier = container(call)
    except NotFound:
        removal.refuse_under_way(call.store, call.words["id"])
        raise
    remove.remove_alone(call.store, identifier, force=call.query.flag("force"), volumes=call.query.flag("v"))
    return EMPTY


def prune_all(call: Call) -> Reply:
    """POST /containers/prune."""
    gone = prune.prune(call.store, filters=call.query.filters(prune.FILTERS))
    return Reply({"ContainersDeleted": gone.ids, "SpaceReclaimed": gone.reclaimed_bytes})


def processes(call: Call) -> Reply:
    """GET /containers/{id}/top."""
    identifier = container(call)
    titles, rows = top.processes(call.store, identifier, call.query.word("ps_args").split())
    return Reply({"Titles": titles, "Processes": rows})


_KINDS = {"C": 0, "A": 1, "D": 2}


def changed_files(call: Call) -> Reply:
    """GET /containers/{id}/changes."""
    found = changes.of(call.store, container(call)).kept
    return Reply([{"Path": change.path, "Kind": _KINDS[change.kind]} for change in found])


def give_name(call: Call) -> Reply:
    """POST /containers/{id}/rename."""
    rename.rename(call.store, container(call), call.query.word("name"))
    return EMPTY


def change(call: Call) -> Reply:
    """POST /containers/{id}/update: Resources at the top of the body, and RestartPolicy."""
    identifier, body = container(call), call.body
    refuse(body, {"DeviceRequests": "devices are fixed when a container is made"})
    wanted = resources(body)
    policy: str | None = None
    if body.object("RestartPolicy").text("Name"):
        found = restart_policy(body.object("RestartPolicy"))
        policy = f"{found['name']}:{found['retries']}" if found["retries"] else found["name"]
    if wanted or policy is not None:
        update.update(call.store, identifier, wanted, policy)
    return Reply({"Warnings": []})


ROUTES: tuple[Route, ...] = (
    Route("GET", "/containers/json", list_all, READS),
    Route("POST", "/containers/create", create, CHANGES),
    Route("POST", "/containers/prune", prune_all, CHANGES),
    Route("GET", "/containers/{id}/json", inspect, READS),
    Route("GET", "/containers/{id}/top", processes, ACTS),
    Route("GET", "/containers/{id}/changes", changed_files, ACTS),
    Route("POST", "/containers/{id}/rename", give_name, ACTS),
    Route("POST", "/containers/{id}/update", change, CHANGES),
    Route("DELETE", "/containers/{id}", delete, CHANGES),
)
