"""What a file asks for, read and checked. Nothing of the store, and no id, is known here."""

from __future__ import annotations

from typing import NamedTuple

from rootless.kube.load.node import Node


class Port(NamedTuple):
    """A containerPort; `host` 0: not published."""

    container: int
    host: int = 0
    address: str = ""
    protocol: str = "tcp"


class VolumeMount(NamedTuple):
    """A volume, by its name in the pod, in a container."""

    volume: str
    path: str
    read_only: bool = False
    subpath: str = ""
    propagation: str = ""


class Probe(NamedTuple):
    """A livenessProbe as a health check: its command, and its figures in seconds."""

    test: tuple[str, ...]
    delay: int
    interval: int
    timeout: int
    retries: int


class Confinement(NamedTuple):
    """securityContext, the pod's with the container's over it; None and "": not said."""

    privileged: bool = False
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    read_only_root: bool = False
    user: int | None = None
    group: int | None = None
    non_root: bool = False
    escalation: bool | None = None
    seccomp: str = ""
    label: tuple[str, ...] = ()
    unmasked: bool = False


class Container(NamedTuple):
    """A container, or an init container. `command` None leaves it to the image; sizes in bytes, processors in thousandths."""

    node: Node
    name: str
    image: str
    pull: str
    command: tuple[str, ...] | None
    args: tuple[str, ...]
    env: tuple[str, ...]
    workdir: str
    tty: bool
    stdin: bool
    stdin_once: bool
    ports: tuple[Port, ...]
    mounts: tuple[VolumeMount, ...]
    confinement: Confinement
    probe: Probe | None
    memory: int = 0
    memory_reservation: int = 0
    milli_cpus: int = 0
    milli_cpus_asked: int = 0


class File(NamedTuple):
    """A file of a configMap or secret volume, by its path in it."""

    path: str
    data: bytes
    mode: int


class PodVolume(NamedTuple):
    """A volume of a pod. `kind`: hostPath, emptyDir, memory, claim, or files. `source`: a path or a claim's name; `type`
    is hostPath's; `size` in bytes of a memory one, 0: any."""

    node: Node
    name: str
    kind: str
    source: str = ""
    type: str = ""
    read_only: bool = False
    size: int = 0
    files: tuple[File, ...] = ()


class HostAlias(NamedTuple):
    """An address, and its names in /etc/hosts."""

    address: str
    names: tuple[str, ...]


class Pod(NamedTuple):
    """A pod to be made."""

    node: Node
    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    containers: tuple[Container, ...]
    init: tuple[Container, ...]
    volumes: dict[str, PodVolume]
    restart: str
    hostname: str
    host_network: bool
    host_pid: bool
    host_ipc: bool
    share_pid: bool
    own_users: bool
    stop_timeout: int | None
    aliases: tuple[HostAlias, ...]
    dns: tuple[str, ...]
    searches: tuple[str, ...]
    dns_options: tuple[str, ...]
    groups: tuple[int, ...]
    sysctls: dict[str, str]


class Claim(NamedTuple):
    """A PersistentVolumeClaim: a volume by that name."""

    name: str
    labels: dict[str, str]


class Loaded(NamedTuple):
    """Everything of the files. `notes`: what has no effect here, a line each."""

    pods: list[Pod]
    claims: list[Claim]
    notes: list[str]
