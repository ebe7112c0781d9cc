"""What the engine remembers of a container: config.json, fixed at create.

Everything that a start needs is here, so that a start reads one file of ours. Values are
checked when the record is made (create.py); after that they are believed. Hot path.
"""

from __future__ import annotations

from rootless.record import TYPE_CHECKING, TypedDict
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from typing import Any, NotRequired

    from rootless.engine.options.health import Healthcheck
    from rootless.engine.options.mount_config import Mount
    from rootless.engine.options.resources import Resources
    from rootless.engine.options.userns import IdMap
    from rootless.engine.options.values import DeviceOption, Ulimit
    from rootless.storage.store import Store


LOG_NAME = "container.log"
"""In the container's directory."""
SDNOTIFY = ("container", "conmon", "ignore")
"""What sends READY=1 to systemd's NOTIFY_SOCKET: the container, the monitor as soon as it runs, nothing."""


OWN_NETWORK = ("bridge", "slirp4netns", "pasta")
"""The modes in which an uplink of its own, slirp4netns or pasta, brings a network up where the record names none of the hub's."""


class EndpointConfig(TypedDict):
    """What a container asks of one network of the hub; "", [] and 0 where it asks for nothing. `id` is the network's;
    `links` are "container:alias"."""

    id: str
    aliases: list[str]
    ip: str
    ip6: str
    mac: str
    gw_priority: int
    driver_opts: dict[str, str]
    links: list[str]


def no_demands(network: str = "") -> EndpointConfig:
    """An endpoint on the network of that id, of which nothing is asked."""
    return {
        "id": network, "aliases": [], "ip": "", "ip6": "", "mac": "", "gw_priority": 0, "driver_opts": {}, "links": [],
    }  # fmt: skip


BRIDGE_ID = b"bridge".hex().ljust(64, "0")
"""Of the default network, for people: its name's digits."""


def default_network() -> dict[str, EndpointConfig]:
    """The networks of a container that asks for nothing."""
    return {"bridge": no_demands(BRIDGE_ID)}


class Network(TypedDict):
    """mode: bridge, none, host, slirp4netns, pasta, container:ID or the name of a network of one's own; options are the words
    after `slirp4netns:` or `pasta:`. `networks`, by name in the order of attachment, are those of the hub: where there are any,
    the mode is the first. Without them, bridge is by slirp4netns: of containers that are older than the hub.

    `default`: bridge was not asked for by name, and where this host makes no bridges slirp4netns stands in.
    `ports` as network.ports.to_data writes them; `exposed` as "80/tcp".
    """

    mode: str
    options: list[str]
    ports: list[list[str | int]]
    exposed: list[str]
    publish_all: bool
    dns: list[str]
    dns_search: list[str]
    dns_options: list[str]
    add_host: list[str]
    networks: NotRequired[dict[str, EndpointConfig]]
    default: NotRequired[bool]


class LogConfig(TypedDict):
    """driver: json-file (ours: CRI lines), journald or none; sizes in bytes, 0 = no rotation. `buffer` is the
    most that waits for a slow log (mode=non-blocking), 0: the container waits.

    `options` are the words of --log-opt; engine/state/logs/options.py has their meaning for `logs --details`.
    """

    driver: str
    max_size: int
    max_files: int
    options: NotRequired[dict[str, str]]
    buffer: NotRequired[int]


class RestartPolicy(TypedDict):
    """Docker's restart policy: name and the retries of on-failure."""

    name: str
    retries: int


class Security(TypedDict):
    """The confinement that was asked for; "" and [] mean the default."""

    privileged: bool
    cap_add: list[str]
    cap_drop: list[str]
    no_new_privileges: bool
    landlock: NotRequired[str]  # on, off
    seccomp: str
    apparmor: str
    label: list[str]
    unmask: list[str]
    mask: list[str]


class SharedConfig(TypedDict):
    """Of a container that several commands share (`run --shared`): the directory and the name of its socket
    (storage/containers/members.py), and what the image or --entrypoint says they execute. PID 1 is a program of ours."""

    directory: str
    key: str
    entrypoint: list[str]
    cmd: list[str]


class StoreFile(TypedDict):
    """Of a container whose image is in somebody else's store: the squashfs that it runs from, and by what that is known again
    (runtime/squashfs/header.py)."""

    path: str
    identity: list[int]


class ContainerConfig(TypedDict):
    """config.json of a container."""

    version: int
    id: str
    name: str
    created_at: str
    image: str
    image_id: str
    diff_ids: list[str]
    platform: str
    rootfs: str
    over_host: NotRequired[bool]  # the machine's own files are below the layers
    store_file: NotRequired[StoreFile]
    image_file: NotRequired[bool]  # which is no directory then, but a squashfs or SIF file
    entrypoint: list[str]
    cmd: list[str]
    env: list[str]
    workdir: str
    user: str
    group_add: list[str]
    umask: str
    hostname: str
    domainname: str
    tty: bool
    open_stdin: bool
    stdin_once: NotRequired[bool]  # of the API: stdin ends with the client that typed, also where that is not who starts it
    detach_keys: str
    auto_remove: bool
    init: bool
    read_only: bool
    labels: dict[str, str]
    annotations: dict[str, str]
    mounts: list[Mount]
    devices: list[DeviceOption]
    cdi: NotRequired[list[str]]  # devices by name: what they bring is looked up at each start
    hooks: NotRequired[list[dict[str, Any]]]  # for that start: OCI's createContainer hooks
    ulimits: list[Ulimit]
    sysctls: dict[str, str]
    shm_size: int
    stop_signal: str
    stop_timeout: int | None
    oom_score_adj: int | None
    pid: str
    ipc: str
    uts: str
    userns: str
    ids: NotRequired[str]  # the word of --emulate-ids
    pod: NotRequired[str]  # the id of the pod that it is in
    infra: NotRequired[bool]  # and keeps the namespaces of
    shared: NotRequired[SharedConfig]
    exit_policy: NotRequired[str]  # the pod's, where it is "stop"
    id_map: NotRequired[IdMap | None]
    emulate: NotRequired[str]  # the image's architecture, where this machine's processor does not execute it
    narrow: NotRequired[bool]  # the image's programs are 32-bit ones, whose calls emulated ids do not answer on this machine
    cgroupns: str
    network: Network
    log: LogConfig
    security: Security
    restart: RestartPolicy
    resources: NotRequired[Resources]
    cgroups: NotRequired[str]
    cgroup_parent: NotRequired[str]
    healthcheck: NotRequired[Healthcheck | None]
    timeout: NotRequired[int]  # seconds that it may run; 0: any
    sdnotify: NotRequired[str]
    # Shown by `inspect` alone: what `run` was attached to, and words that are spent at create.
    attached: NotRequired[list[str]]
    volumes_from: NotRequired[list[str]]
    cidfile: NotRequired[str]


def on_hub(record: ContainerConfig) -> dict[str, EndpointConfig]:
    """The networks of the hub that the container is to be on; {} where it has another kind of network, or none, or was
    taken off all."""
    return record["network"].get("networks") or {}


def is_on_hub(record: ContainerConfig) -> bool:
    """Whether the container's networks are the hub's, if it is on any."""
    return "networks" in record["network"]


def argv(record: ContainerConfig) -> list[str]:
    """The command line that PID 1 gets."""
    return [*record["entrypoint"], *record["cmd"]]


def read_config(store: Store, identifier: str) -> ContainerConfig:
    """The container's config.json; NotFound where it is gone, RootlessError where it is damaged."""
    return containers.config(store, identifier)  # type: ignore[return-value]
