"""Docker's words that are not ours, each with the reason and what to do instead.

Imported only when a word is not one of ours: a user of Docker's language never meets "unknown", or a
guess at a mistyped word. A test compares these tables, and ours, with the help of Docker 28.2.
"""

from __future__ import annotations

from rootless.errors import NotSupported

Reason = tuple[str, str]
"""Why not, to follow "NAME is not supported: "; and what to do instead."""

_ONE_MACHINE: Reason = ("rootless runs containers on one machine", "start each container with `rootless run`")
_BUILDERS: Reason = (
    "there is one builder, rootless itself, and no daemon or machine to choose among",
    "`rootless build` builds, `rootless builder prune` frees its cache",
)
_CONTEXTS: Reason = (
    "there is no daemon, and so no other place to talk to",
    "for containers of another machine run rootless there: ssh HOST rootless ...",
)
_CHECKPOINT: Reason = (
    "saving a container's processes (CRIU) needs root",
    "`rootless pause` keeps them in memory",
)

# fmt: off
COMMANDS: dict[str, Reason] = {
    **dict.fromkeys(
        (f"buildx {word}" for word in ("bake", "create", "dial-stdio", "du", "history", "rm", "stop", "use")), _BUILDERS),
    "checkpoint": _CHECKPOINT,
    **dict.fromkeys(
        (f"compose {word}" for word in ("alpha", "viz")),
        ("it is no part of what runs a project", "`rootless compose --help` lists what is there")),
    "compose bridge": ("a project is not made into files of another tool by it", "`rootless kube generate` writes one as Kubernetes YAML"),
    "compose publish": ("no registry is given a project's files",
                        "`rootless compose push` pushes its images; compose files are texts, for git"),
    "config": _ONE_MACHINE,
    "context": _CONTEXTS,
    "node": _ONE_MACHINE,
    "pod clone": ("what a pod's containers were made of is in no single record", "`rootless pod create`, and `rootless run --pod`"),
    "plugin": ("there is no daemon that could load plugins", "`rootless volume create -o type=none -o o=bind -o "
               "device=DIRECTORY` makes a volume of what is mounted already"),
    "secret": ("secrets belong to a swarm", "bind a file that only you can read: -v ./secret:/run/secrets/NAME:ro"),
    "service": _ONE_MACHINE,
    "stack": _ONE_MACHINE,
    "swarm": _ONE_MACHINE,
    "trust": ("Docker's content trust is not known here",
              "policy.json says whose signatures an image needs, as podman's; or name it by its digest, IMAGE@sha256:..."),
    "volume update": ("that is for volumes of a swarm", "`rootless volume create --label` gives a new volume labels"),
}

_WINDOWS: Reason = ("that is for containers of Windows", "--cpus, --device-read-bps and --device-read-iops are Linux's")
_REALTIME: Reason = ("real-time shares need control groups of version 1 and root", "--cpus or --cpu-shares")
_SWARM_VOLUME: Reason = ("that is for volumes of a swarm", "leave it out: a volume belongs to this machine")
_LINK_LOCAL: Reason = (
    "an interface has the addresses of its network, and IPv6's own link-local one",
    "--ip and --ip6 choose those on a network of your own",
)
_POD_LIMITS: Reason = (
    "a pod has no control group of its own, and limits nothing", "give it to each container: `rootless run --pod NAME`"
)
_POD_INFRA: Reason = ("the infra of a pod is a process of ours and has no image", "leave it out")
_POD_IDS: Reason = ("the ids of a pod are the session's, or chosen by --userns", "--userns keep-id, auto or nomap")
_OF_EACH: Reason = ("that is each container's own choice", "give it to `rootless run --pod NAME`")
_TLS: Reason = ("there is no daemon to talk to, and so nothing to encrypt", "leave it out")
FLAGS: dict[str, dict[str, Reason]] = {
    "": {
        "-H": _CONTEXTS,
        "--host": _CONTEXTS,
        "--tls": _TLS,
        "--tlscacert": _TLS,
        "--tlscert": _TLS,
        "--tlskey": _TLS,
        "--tlsverify": _TLS,
    },
    "run": {
        "--blkio-weight-device": ("a weight is set for all devices at once", "--blkio-weight, or --device-read-bps for one device"),
        "--cpu-count": _WINDOWS,
        "--cpu-percent": _WINDOWS,
        "--cpu-rt-period": _REALTIME,
        "--cpu-rt-runtime": _REALTIME,
        "--device-cgroup-rule": ("device rules need root; what a container may open is up to your own rights", "--device /dev/x"),
        "--io-maxbandwidth": _WINDOWS,
        "--io-maxiops": _WINDOWS,
        "--kernel-memory": ("the kernel has no such limit any more", "--memory counts the kernel's memory, too"),
        "--link-local-ip": _LINK_LOCAL,
        "--oom-kill-disable": (
            "control groups of version 2 have no such switch", "`rootless inspect` says whether memory ended a container"),
        "--storage-opt": ("the size of a container's files has no limit of its own", "a tmpfs has one: --tmpfs /data:size=1g"),
        "--use-api-socket": (
            "it gives a container your whole account", "if that is meant, -v $XDG_RUNTIME_DIR/docker.sock:/var/run/docker.sock"),
    },
    "pod create": {
        **dict.fromkeys(
            ("--blkio-weight", "--blkio-weight-device", "--cgroup-parent", "-c", "--cpu-shares", "--cpus", "--cpuset-cpus",
             "--cpuset-mems", "--device-read-bps", "--device-write-bps", "-m", "--memory", "--memory-swap", "--share-parent"),
            _POD_LIMITS),
        **dict.fromkeys(("--infra-command", "--infra-conmon-pidfile", "--infra-image"), _POD_INFRA),
        **dict.fromkeys(("--gidmap", "--subgidname", "--subuidname", "--uidmap"), _POD_IDS),
        **dict.fromkeys(("--device", "--security-opt", "--volumes-from"), _OF_EACH),
        "--pid": ("what a pod shares is named by --share", "--share +pid; --pid host is each container's own choice"),
        "--uts": ("what a pod shares is named by --share", "--share -uts; --uts host is each container's own choice"),
    },
    "kube play": {
        "--build": ("images are built before, by their own command", "`rootless build -t NAME DIRECTORY`, then kube play"),
        "--context-dir": ("images are built before, by their own command", "`rootless build -t NAME DIRECTORY`, then kube play"),
    },
    "rm": {
        "-l": ("there are no links between containers", "leave it out"),
        "--link": ("there are no links between containers", "leave it out"),
    },
    "start": {"--checkpoint": _CHECKPOINT, "--checkpoint-dir": _CHECKPOINT},
    "update": {"--cpu-rt-period": _REALTIME, "--cpu-rt-runtime": _REALTIME, "--kernel-memory": (
        "the kernel has no such limit any more", "--memory counts the kernel's memory, too")},
    "volume create": dict.fromkeys(
        ("--availability", "--group", "--limit-bytes", "--required-bytes", "--scope", "--secret", "--sharing",
         "--topology-preferred", "--topology-required", "--type"), _SWARM_VOLUME),
    "volume ls": {"--cluster": _SWARM_VOLUME},
}
FLAGS["create"] = FLAGS["run"]

_NVIDIA: Reason = ("rootless has one runtime, its own", "leave it out; for a GPU: --gpus all")
SECURITY_OPTIONS: dict[str, Reason] = {
    "writable-cgroups": ("a container sees its control groups and does not make any", "leave it out"),
    "credentialspec": ("that is for containers of Windows", "leave it out"),
}
VALUES: dict[str, Reason] = {
    "--context": _CONTEXTS,
    "--disable-content-trust": COMMANDS["trust"],
    "--isolation": ("that is for containers of Windows", "leave it out, or write `default`"),
    "--runtime": _NVIDIA,
    "--volume-driver": ("volumes are directories of yours", "leave it out, or write `local`"),
}
"""Options of which we take the harmless values: why not the others."""
# fmt: on


def command(path: str) -> NotSupported | None:
    """The error for a command of Docker's that we lack (`network ls` by its noun); None for any other word."""
    reason = COMMANDS.get(path) or COMMANDS.get(path.partition(" ")[0])
    return None if reason is None else _error(path, reason)


def flag(command: str, name: str) -> NotSupported | None:
    """The error for an option that Docker's `command` ("" for the program) has and ours lacks, or None."""
    reason = FLAGS.get(command, {}).get(name)
    return None if reason is None else _error(name, reason)


def value(option: str, given: str) -> NotSupported:
    """The error for a value of `option` that would mean something to Docker's daemon."""
    return _error(f"{option} {given}".rstrip(), VALUES[option])


def security_option(word: str) -> NotSupported | None:
    """The error for a --security-opt of Docker's that we lack, or None."""
    reason = SECURITY_OPTIONS.get(word.replace(":", "=", 1).partition("=")[0])
    return None if reason is None else _error(f"--security-opt {word}", reason)


def _error(what: str, reason: Reason) -> NotSupported:
    return NotSupported(f"{what} is not supported: {reason[0]}", hint=reason[1])
