"""What `create` is asked for. Hot path."""

from __future__ import annotations

from rootless.engine.options.health import NOTHING_ASKED
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from rootless.engine.options.health import HealthRequest
    from rootless.engine.options.mount_config import Mount
    from rootless.engine.options.resources import Resources
    from rootless.engine.options.userns import IdMap
    from rootless.engine.options.values import DeviceOption, Ulimit
    from rootless.engine.state.config import LogConfig, Network, RestartPolicy, Security, SharedConfig


class Request(Record):
    """What a user asked for, parsed; what was left out is the image's or Docker's default."""

    network: Network
    log: LogConfig
    security: Security
    restart: RestartPolicy
    image: str = ""
    rootfs: str = ""
    image_file: bool = False  # what `rootfs` is then
    name: str = ""
    entrypoint: list[str] | None = None
    cmd: list[str] = []
    env: list[str] = []
    workdir: str = ""
    user: str = ""
    group_add: list[str] = []
    umask: str = ""
    hostname: str = ""
    domainname: str = ""
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False  # Docker's StdinOnce, where who attaches is not who starts it
    detach_keys: str = ""
    auto_remove: bool = False
    init: bool = False
    read_only: bool = False
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    mounts: list[Mount] = []
    volumes_from: list[str] = []
    devices: list[DeviceOption] = []
    cdi: list[str] = []  # devices by name, looked up at each start
    ulimits: list[Ulimit] = []
    sysctls: dict[str, str] = {}
    shm_size: int = 64 * 1024 * 1024
    stop_signal: str = ""
    stop_timeout: int | None = None
    timeout: int = 0
    oom_score_adj: int | None = None
    pid: str = ""
    ipc: str = ""
    uts: str = ""
    userns: str = ""
    ids: str = ""  # the word of --emulate-ids
    cgroupns: str = ""
    resources: Resources = {}
    cgroups: str = "enabled"
    cgroup_parent: str = ""
    platform: str = ""
    health: HealthRequest = NOTHING_ASKED
    sdnotify: str = ""
    attached: list[str] = []
    cidfile: str = ""
    id: str = ""  # "": any
    pod: str = ""  # the id of the pod, whose lock the caller holds
    id_map: IdMap | None = None  # the pod's
    exit_policy: str = ""  # the pod's, where somebody has to look once the container has ended
    shared: SharedConfig | None = None  # where several commands share it (shared.py): `cmd` is PID 1's, not theirs
    infra: bool = False  # it is the pod's infra: no image, and no root but what is mounted in it
