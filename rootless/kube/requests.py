"""A pod of a file as the engine's requests: one for the pod, one for each container."""

from __future__ import annotations

from typing import NamedTuple

from rootless.engine.lifecycle.request import Request
from rootless.engine.options.health import NOTHING_ASKED, SECOND_NS, HealthRequest
from rootless.engine.options.mount_config import Mount, new
from rootless.engine.options.mounts import guest_path, volume_name
from rootless.engine.options.resources import Resources
from rootless.engine.pods.create import PodRequest
from rootless.engine.state import security
from rootless.engine.state.config import LogConfig, Network, RestartPolicy, Security
from rootless.engine.state.pods import DEFAULT_SHARE
from rootless.errors import InvalidInput
from rootless.image import run_config
from rootless.kube.load.model import Confinement, Container, Pod, PodVolume
from rootless.network import ports
from rootless.storage.images import Image

_RESTART = {"Always": "always", "OnFailure": "on-failure", "Never": "no"}


class Choice(NamedTuple):
    """What the command line says of all pods. `network` is one without ports; `publish` the words of -p."""

    network: Network
    log: LogConfig
    publish: tuple[str, ...] = ()
    publish_all: bool = False
    userns: str = ""
    command: tuple[str, ...] = ()


def pod_request(pod: Pod, choice: Choice) -> PodRequest:
    """The pod. InvalidInput for ports and networks that do not go together."""
    network = dict(choice.network)
    if pod.host_network:
        if not choice.network.get("default"):
            raise pod.node.error("hostNetwork", "is the network: --network names another")
        network.pop("networks", None)
        network.pop("default", None)
        network["mode"] = "host"
    network["ports"] = [] if network["mode"] in ("host", "none") else ports.to_data(ports.parse(_published(pod, choice)))
    network["dns"], network["dns_search"], network["dns_options"] = [*pod.dns], [*pod.searches], [*pod.dns_options]
    network["add_host"] = [f"{name}:{alias.address}" for alias in pod.aliases for name in alias.names]
    share = [kind for kind in DEFAULT_SHARE if not (kind == "ipc" and pod.host_ipc)] + ["pid"] * pod.share_pid
    return PodRequest(
        network=network,  # type: ignore[arg-type]
        restart=restart(pod),
        name=pod.name,
        hostname=pod.hostname,
        labels=pod.labels,
        share=sorted(share),
        exit_policy="stop",
        sysctls=pod.sysctls,
        userns=choice.userns or ("auto" if pod.own_users else ""),
        command=[*choice.command],
    )


def _published(pod: Pod, choice: Choice) -> list[str]:
    """The words of -p: those of the command line take the place of the file's for the same port of the container."""
    own = [*choice.publish]
    taken = {(mapping.container_port, mapping.protocol) for mapping in ports.parse(own)}
    for container in (*pod.init, *pod.containers):
        for port in container.ports:
            host = port.host or (port.container if choice.publish_all else 0)
            if host and (port.container, port.protocol) not in taken:
                address = f"[{port.address}]:" if ":" in port.address else f"{port.address}:" if port.address else ""
                own.append(f"{address}{host}:{port.container}/{port.protocol}")
    return own


def container_request(pod: Pod, container: Container, image: Image, volumes: dict[str, str], choice: Choice) -> Request:
    """A container of the pod, not yet joined to it. `volumes`: names in the store by the pod's. InvalidInput."""
    config = run_config.read(image.config.get("config"))
    user = _user(container, config.user.text)
    init = container in pod.init
    return Request(
        network={
            "mode": "bridge", "options": [], "ports": [], "publish_all": False, "dns": [], "dns_search": [], "dns_options": [],
            "exposed": [f"{port.container}/{port.protocol}" for port in container.ports], "add_host": [],
        },
        log=choice.log,
        security=_security(container.confinement),
        restart={"name": "no", "retries": 0} if init else restart(pod),
        image=container.image,
        name=f"{pod.name}-{container.name}",
        entrypoint=None if container.command is None else [*container.command],
        cmd=[*container.args],
        env=[*container.env],
        workdir=container.workdir,
        user=user,
        group_add=[str(group) for group in pod.groups],
        tty=container.tty,
        open_stdin=container.stdin,
        stdin_once=container.stdin_once,
        read_only=container.confinement.read_only_root,
        labels=pod.labels,
        annotations=pod.annotations,
        mounts=[_mount(pod, mount.volume, mount.path, container, volumes) for mount in container.mounts],
        stop_timeout=pod.stop_timeout,
        pid="host" if pod.host_pid else "",
        ipc="host" if pod.host_ipc else "",
        resources=_resources(container),
        health=_health(container, pod),
    )  # fmt: skip


def restart(pod: Pod) -> RestartPolicy:
    """The containers' policy."""
    return {"name": _RESTART[pod.restart], "retries": 0}


def _user(container: Container, of_image: str) -> str:
    asked = container.confinement
    user = "" if asked.user is None else str(asked.user)
    if asked.non_root and asked.user is None:
        name = of_image.partition(":")[0]
        if not (name.isascii() and name.isdigit() and int(name)):
            raise container.node.error(
                "securityContext", f"runAsNonRoot: the image runs as {name or 'root'!r}", "say runAsUser: a number that is not 0"
            )
    if asked.group is not None:
        user = f"{user or of_image.partition(':')[0] or '0'}:{asked.group}"
    return user


def _security(asked: Confinement) -> Security:
    found = security.asked(privileged=asked.privileged, cap_add=[*asked.add], cap_drop=[*asked.drop])
    if asked.escalation is not None:
        found["no_new_privileges"] = not asked.escalation
    found["seccomp"] = asked.seccomp
    found["label"] = [*asked.label]
    found["unmask"] = ["ALL"] if asked.unmasked else []
    return found


def _mount(pod: Pod, name: str, path: str, container: Container, volumes: dict[str, str]) -> Mount:
    asked = next(mount for mount in container.mounts if mount.path == path)
    volume = pod.volumes[name]
    target = guest_path(path, path)
    if volume.kind == "memory":
        mount = new("tmpfs", target)
        mount["options"] = ["mode=1777", *([f"size={volume.size}"] if volume.size else [])]
    elif volume.kind == "hostPath":
        mount = new("bind", target)
        mount["source"], mount["options"] = volume.source, ["rbind"]
        mount["create_source"] = volume.type == "DirectoryOrCreate"
    else:
        mount = new("volume", target)
        mount["volume"] = volume_name(volumes[name])
        mount["copy_up"] = False
        if volume.kind != "claim":
            mount["options"] = ["anonymous"]
    mount["long"] = True
    mount["read_only"] = asked.read_only or volume.read_only
    if asked.propagation:
        if volume.kind != "hostPath":
            raise container.node.error("volumeMounts", "mountPropagation is for a hostPath")
        mount["options"].append(asked.propagation)
    if asked.subpath:
        mount["subpath"] = asked.subpath
    return mount


def _resources(container: Container) -> Resources:
    found: Resources = {}
    if container.memory:
        found["memory"] = container.memory
    if container.memory_reservation:
        found["memory_reservation"] = container.memory_reservation
    if container.milli_cpus:
        found["nano_cpus"] = container.milli_cpus * 1_000_000
    if container.milli_cpus_asked:
        found["cpu_shares"] = max(2, container.milli_cpus_asked * 1024 // 1000)
    return found


def _health(container: Container, pod: Pod) -> HealthRequest:
    probe = container.probe
    if probe is None:
        return NOTHING_ASKED
    return {
        "test": [*probe.test],
        "interval_ns": probe.interval * SECOND_NS,
        "timeout_ns": probe.timeout * SECOND_NS,
        "start_period_ns": probe.delay * SECOND_NS,
        "start_interval_ns": probe.interval * SECOND_NS,
        "retries": probe.retries,
        # What a cluster does: the container is killed, and the restart policy says what comes then.
        "on_failure": "kill" if pod.restart == "Never" else "restart",
    }


def check_volume(volume: PodVolume) -> None:
    """Refuse, before anything is made, a hostPath that is not what its `type` says. InvalidInput, NotFound."""
    import os
    import stat

    if volume.kind != "hostPath" or volume.type in ("", "DirectoryOrCreate"):
        return
    try:
        mode = os.stat(volume.source).st_mode
    except FileNotFoundError:
        if volume.type == "FileOrCreate":
            return
        raise volume.node.error("hostPath", f"{volume.source} does not exist") from None
    except OSError as error:
        raise volume.node.error("hostPath", f"{volume.source}: {error.strerror}") from None
    wanted = {"Directory": stat.S_ISDIR, "Socket": stat.S_ISSOCK}.get(volume.type, stat.S_ISREG)
    if not wanted(mode):
        raise InvalidInput(volume.node.error("hostPath", f"{volume.source} is no {volume.type}").message)
