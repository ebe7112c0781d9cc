"""One step of a plan, applied to the store by the engine. Runs in a process of its own (executor.py), in the session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from rootless.build.progress.vertices import Progress
from rootless.compose.converge import conditions, contents, hooks, images, init_containers
from rootless.compose.converge.observe import container, project_rows
from rootless.compose.converge.service_request import Place, service_request
from rootless.compose.load.project import Project
from rootless.compose.plan import names, resources
from rootless.compose.plan.steps import Step
from rootless.compose.plan.up import shared_services
from rootless.engine.files.volumes import volumes
from rootless.engine.images import lookup
from rootless.engine.images import removal as image_removal
from rootless.engine.lifecycle import create, kill, pause, remove, start, stop
from rootless.engine.networks import create as network_create
from rootless.engine.networks import remove as network_remove
from rootless.engine.networks.create import NetworkRequest
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.storage.containers import containers
from rootless.storage.store import Store


class Context(NamedTuple):
    """What every step needs. `project` is None where only labels say what the project is; `progress` makes that of a build."""

    store: Store
    name: str
    project: Project | None
    progress: Callable[[], Progress] = Progress
    build: images.BuildChoice = images.BuildChoice()
    still: Callable[[str], None] = lambda subject: None
    proxies: Callable[[Iterable[str]], list[str]] = lambda given: []  # the client's, but for those that these words name

    @property
    def wanted(self) -> Project:
        """The project, where a step cannot do without."""
        assert self.project is not None
        return self.project


def apply(context: Context, step: Step) -> str:
    """Do the step; a word in place of the usual one, or "". RootlessError, OSError."""
    return _ACTIONS[step.action](context, step) or ""


def make_container(context: Context, service: str, place: Place) -> str:
    """Create a container of the service, with its secrets and configs in it; its id. Errors as create.create."""
    store, project = context.store, context.wanted
    contents.files(project, service)  # what cannot be had is said before anything is made
    image_name = names.image_name(project, service)
    image = lookup.find(store, image_name, all_names=False)
    place = place._replace(containers={**_first_containers(context, service), **place.containers})
    declared = {target for target in place.inherited if _is_volume_of(project, service, target, image.config)}
    place = place._replace(inherited={target: name for target, name in place.inherited.items() if target in declared})
    request = service_request(project, service, image, place)
    request = request._replace(env=[*context.proxies(project.services[service].get("environment") or {}), *request.env])
    with store.lease():
        identifier = create.create(store, request, image)
    try:
        contents.put(store, identifier, project, service)
    except BaseException:
        remove.remove(store, identifier, force=True, volumes=True)
        raise
    return identifier


def _is_volume_of(project: Project, service: str, target: str, config: dict[str, Any]) -> bool:
    own = {str(m.get("target")) for m in project.services[service].get("volumes") or ()}
    return target in own or target in ((config.get("config") or {}).get("Volumes") or {})


def _first_containers(context: Context, service: str) -> dict[str, str]:
    """The container of each service whose namespaces or volumes are used."""
    wanted = shared_services(context.wanted.services[service])
    if not wanted:
        return {}
    found: dict[str, tuple[int, str]] = {}
    for row in project_rows(context.store, context.name):
        one = container(row)
        if one.service in wanted and not one.oneoff and (one.service not in found or one.number < found[one.service][0]):
            found[one.service] = (one.number, row.id)
    return {other: identifier for other, (_, identifier) in found.items()}


def _create(context: Context, step: Step) -> None:
    make_container(context, step.data["service"], Place(step.data["name"], step.data["number"], {}, step.data.get("inherit") or {}))


def _recreate(context: Context, step: Step) -> None:
    """The new one is made beside the old, so that what cannot be made takes nothing away; then it takes its place."""
    data, store = step.data, context.store
    old = data.get("old")
    if old is None:
        _create(context, step)
        return
    place = Place(f"{old[:12]}_{data['name']}", data["number"], {}, data["inherit"], extra_labels={names.REPLACE: old})
    new = make_container(context, data["service"], place)
    _stop_one(context, old, data["service"], data.get("timeout"))
    remove.remove(store, old, force=True, volumes=bool(data.get("old_volumes")))
    _rename_one(store, new, data["name"])


def _pre_start(context: Context, step: Step) -> None:
    def make(project: Project, service: str, place: Place) -> str:
        return make_container(context._replace(project=project), service, place)

    init_containers.run(context.store, context.wanted, step.data["service"], step.data["name"], make)


def _rename_one(store: Store, identifier: str, name: str) -> None:
    with containers.lock(store, identifier):
        old = containers.name_of(store, identifier)
        containers.rename(store, identifier, name)
    record = {**read_config(store, identifier), "name": name}
    events.container(store, "rename", record, oldName=f"/{old}")  # type: ignore[arg-type]


def _identifier(context: Context, step: Step) -> str:
    return str(step.data.get("id") or containers.find(context.store, step.data["name"]))


def _start(context: Context, step: Step) -> None:
    start_one(context, _identifier(context, step), step.data.get("service", ""))


def start_one(context: Context, identifier: str, service: str) -> None:
    """Start a container, and run the hooks that come after it. Nothing where it runs already."""
    config = context.project.services.get(service) if context.project is not None else None
    if config is not None and not is_running(context.store, identifier):
        contents.put(context.store, identifier, context.wanted, service)
    try:
        start.start(context.store, identifier)
    except start.AlreadyRunning:
        return
    if config is not None and config.get("post_start"):
        hooks.run_hooks(context.store, identifier, config["post_start"], kind="post_start", service=service)


def is_running(store: Store, identifier: str) -> bool:
    """Whether it has a process."""
    found = running.find(store, identifier)
    if found is not None:
        found.close()
    return found is not None


def _stop(context: Context, step: Step) -> None:
    try:
        _stop_one(context, _identifier(context, step), step.data.get("service", ""), step.data.get("timeout"),
                  step.data.get("signal", ""), by_hand=step.data.get("by_hand", True))  # fmt: skip
    except NotFound:
        pass  # a --rm container's own end


def _stop_one(
    context: Context, identifier: str, service: str, timeout_s: int | None, signal: str = "", *, by_hand: bool = True
) -> None:
    config = context.project.services.get(service) if context.project is not None else None
    if config is not None and config.get("pre_stop") and is_running(context.store, identifier):
        hooks.run_hooks(context.store, identifier, config["pre_stop"], kind="pre_stop", service=service)
    stop.stop(context.store, identifier, timeout_s=timeout_s, signal_name=signal, by_hand=by_hand)


def _restart(context: Context, step: Step) -> None:
    _stop(context, step)
    _start(context, step)


def _remove(context: Context, step: Step) -> None:
    try:
        remove.remove(context.store, _identifier(context, step), force=True, volumes=bool(step.data.get("volumes")))
    except NotFound:
        pass  # it was a --rm container, and has ended


def _kill(context: Context, step: Step) -> None:
    kill.kill(context.store, _identifier(context, step), step.data.get("signal") or "KILL")


def _pause(context: Context, step: Step) -> None:
    pause.pause(context.store, _identifier(context, step))


def _unpause(context: Context, step: Step) -> None:
    pause.unpause(context.store, _identifier(context, step))


def _create_network(context: Context, step: Step) -> None:
    key = step.data["key"]
    config = context.wanted.resources("networks")[key]
    ipam = config.get("ipam") or {}
    pools = [dict(pool) for pool in ipam.get("config") or ()]
    request = NetworkRequest(
        str(config["name"]),
        driver=str(config.get("driver") or "bridge"),
        subnets=[str(pool["subnet"]) for pool in pools if pool.get("subnet")],
        ip_ranges=[str(pool["ip_range"]) for pool in pools if pool.get("ip_range")],
        gateways=[str(pool["gateway"]) for pool in pools if pool.get("gateway")],
        auxiliary=[(name, str(address)) for pool in pools for name, address in (pool.get("aux_addresses") or {}).items()],
        ipv4=config.get("enable_ipv4"),
        ipv6=config.get("enable_ipv6"),
        internal=bool(config.get("internal")),
        attachable=bool(config.get("attachable")),
        labels=resources.network_labels(context.wanted, key, config),
        options={name: str(value) for name, value in (config.get("driver_opts") or {}).items()},
        ipam_options={name: str(value) for name, value in (ipam.get("options") or {}).items()},
    )
    try:
        network_create.create(context.store, request)
    except Conflict as error:
        if "already exists" not in error.message:
            raise  # else another `up` was faster


def _remove_network(context: Context, step: Step) -> str:
    try:
        network_remove.remove(context.store, step.data["name"])
    except NotFound:
        pass
    except Conflict as error:
        raise Conflict(f"{error.message}", hint=error.hint or "Resource is still in use") from None
    return ""


def _create_volume(context: Context, step: Step) -> None:
    key = step.data["key"]
    config = context.wanted.resources("volumes")[key]
    volumes.create(
        context.store, str(config["name"]), driver=str(config.get("driver") or "local"),
        options=[f"{name}={value}" for name, value in (config.get("driver_opts") or {}).items()],
        labels=[f"{name}={value}" for name, value in resources.volume_labels(context.wanted, key, config).items()],
    )  # fmt: skip


def _remove_volume(context: Context, step: Step) -> None:
    try:
        volumes.remove(context.store, step.data["name"])
    except NotFound:
        pass


def _remove_image(context: Context, step: Step) -> None:
    image_removal.remove(context.store, step.data["image"])
    image_removal.collect(context.store)


def _pull(context: Context, step: Step) -> None:
    images.pull(context.store, step.data["image"], str(step.data.get("platform") or ""))


def _push(context: Context, step: Step) -> None:
    images.push(context.store, step.data["image"])


def _build(context: Context, step: Step) -> None:
    images.build(context.store, context.wanted, step.data["service"], context.progress(), context.build, context.proxies)


def _wait(context: Context, step: Step) -> str:
    data = step.data
    try:
        return conditions.wait_for(
            context.store, containers.find(context.store, data["name"]), data["name"], data["condition"],
            lambda: context.still(step.subject),
        )  # fmt: skip
    except RootlessError as error:
        if data["condition"] == "running_or_healthy":
            raise
        raise Conflict(f"dependency failed to start: {error.message}" if "didn't complete" not in error.message else error.message,
                       hint=error.hint) from None  # fmt: skip


def _sync(context: Context, step: Step) -> None:
    from rootless.compose.converge import syncing

    syncing.sync(context.store, step.data["id"], step.data["files"], step.data["gone"])


def _exec(context: Context, step: Step) -> None:
    hooks.run_hooks(context.store, step.data["id"], [step.data["hook"]], kind="sync+exec", service=step.data["service"])


_ACTIONS: dict[str, Callable[[Context, Step], str | None]] = {
    "create": _create, "recreate": _recreate,
    "rename": lambda context, step: _rename_one(context.store, step.data["id"], step.data["name"]),
    "start": _start, "stop": _stop, "restart": _restart,
    "remove": _remove, "kill": _kill, "pause": _pause, "unpause": _unpause, "create_network": _create_network,
    "remove_network": _remove_network, "create_volume": _create_volume, "remove_volume": _remove_volume,
    "remove_image": _remove_image, "pull": _pull, "push": _push, "build": _build, "wait": _wait,
    "note": lambda context, step: "Running", "sync": _sync, "pre_start": _pre_start, "exec": _exec,
}  # fmt: skip
