"""What the words of `run` and `create` ask for: container_options.py's options as a request. Hot path."""

from __future__ import annotations

from rootless.cli import client_config
from rootless.cli.grammar.command import Args
from rootless.engine.lifecycle.request import Request
from rootless.engine.options import names, namespaces
from rootless.engine.options.health import NOTHING_ASKED, HealthRequest, duration
from rootless.engine.options.ids import parse_ids
from rootless.engine.options.mount_config import Mount
from rootless.engine.options.mounts import parse_mount, parse_tmpfs, parse_volume
from rootless.engine.options.resources import parse as parse_resources
from rootless.engine.options.userns import parse as parse_userns
from rootless.engine.options.values import (
    merge_env,
    parse_bytes,
    parse_device,
    parse_env,
    parse_pairs,
    parse_ulimit,
    read_env_file,
    read_label_file,
)
from rootless.engine.state import security
from rootless.engine.state.config import (
    EndpointConfig,
    LogConfig,
    Network,
    RestartPolicy,
    Security,
    default_network,
)
from rootless.engine.state.restart import parse as parse_restart
from rootless.errors import InvalidInput


def to_request(args: Args) -> Request:
    """The request that the words of `run` or `create` describe; raises InvalidInput."""
    name, command = args.positional[0], args.positional[1:]
    if args.oom_score_adj is not None and not -1000 <= args.oom_score_adj <= 1000:
        raise InvalidInput(f"Invalid value {args.oom_score_adj}, range for oom score adj is [-1000, 1000]")
    if args.pod or args.pod_id_file:
        from rootless.cli.flags import pod

        pod.refuse(args)
    config = client_config.read()
    _refuse_bytes(args)
    environment = [entry for path in args.env_file for entry in read_env_file(path)]
    environment = client_config.proxies(config, [*environment, *args.env]) + environment
    environment += [entry for word in args.env if (entry := parse_env(word)) is not None]
    labels = [line for path in args.label_file for line in read_label_file(path)] + args.label
    image_file = name.startswith(("/", "./", "../")) and not args.rootfs
    entrypoint = None
    if args.entrypoint is not None:
        entrypoint = [args.entrypoint] if args.entrypoint else []
    return Request(
        image="" if args.rootfs or image_file else name,
        rootfs=name if args.rootfs or image_file else "",
        image_file=image_file,
        name=names.check(args.name),
        entrypoint=entrypoint,
        cmd=command,
        env=merge_env(environment),
        workdir=args.workdir,
        user=args.user,
        group_add=_groups(args.group_add),
        cidfile=args.cidfile or "",
        umask=_umask(args.umask),
        hostname=args.hostname,
        domainname=args.domainname,
        tty=args.tty,
        open_stdin=args.interactive,
        detach_keys=args.detach_keys or client_config.text("detachKeys", config),
        auto_remove=args.rm,
        init=args.init,
        read_only=args.read_only,
        labels=parse_pairs(labels),
        annotations=parse_pairs(args.annotation),
        mounts=_mounts(args),
        volumes_from=args.volumes_from,
        devices=[parse_device(word) for word in args.device if not _by_name(word)],
        cdi=_cdi(args),
        ulimits=[parse_ulimit(word) for word in args.ulimit],
        sysctls=parse_pairs(args.sysctl),
        shm_size=parse_bytes(args.shm_size, name="shm-size") if args.shm_size else 64 * 1024 * 1024,
        stop_signal=args.stop_signal,
        stop_timeout=args.stop_timeout,
        timeout=args.timeout,
        oom_score_adj=args.oom_score_adj,
        pid=namespaces.shared(args.pid, "pid", ("host", "private")),
        ipc=namespaces.shared(args.ipc, "ipc", ("host", "private", "shareable", "none")),
        uts=namespaces.shared(args.uts, "uts", ("host", "private")),
        userns=_userns(args.userns),
        ids=parse_ids(args.emulate_ids),
        cgroupns=args.cgroupns or "",
        resources=parse_resources(args),
        cgroups=args.cgroups,
        cgroup_parent=args.cgroup_parent,
        platform=client_config.platform(args.platform),
        network=to_network(args),
        log=_log(args),
        security=_security(args),
        restart=_restart(args.restart),
        health=_health(args),
        sdnotify=args.sdnotify,
    )


def _by_name(word: str) -> bool:
    """Whether a --device is meant by its name, which parse_device does not know."""
    return "=" in word and not word.startswith("/")


def _cdi(args: Args) -> list[str]:
    named = [word for word in args.device if _by_name(word)]
    if not named and not args.gpus:
        return []
    from rootless.engine.cdi import requests

    asked = [requests.parse_gpus(word) for word in args.gpus]
    return requests.names([requests.DeviceRequest("cdi", ids=tuple(named)), *asked])


_TEXTS = ("hostname", "domainname", "dns", "dns_search", "dns_option", "add_host")
"""What is written into files that others read as text; paths, arguments and environments may be any bytes."""
_IN_LINES = ("domainname", "dns_search", "dns_option")
"""Of these what may be any text."""


def _refuse_bytes(args: Args) -> None:
    for dest in _TEXTS:
        value = getattr(args, dest)
        for word in value if isinstance(value, list) else [value]:
            if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
                raise InvalidInput(f'invalid argument "{word}" for "--{dest.replace("_", "-")}" flag: not UTF-8')
            if dest in _IN_LINES and not word.isprintable():
                raise InvalidInput(f'invalid argument "{word}" for "--{dest.replace("_", "-")}" flag: it has control characters')


def _groups(words: list[str]) -> list[str]:
    if "keep-groups" in words and len(words) > 1:
        raise InvalidInput(
            "the '--group-add keep-groups' option is not allowed with any other --group-add options",
            hint="who keeps the caller's groups cannot have others: they would be set in their place",
        )
    return words


def _umask(word: str) -> str:
    if word and not (len(word) <= 4 and set(word) <= set("01234567")):
        raise InvalidInput(f"invalid umask: {word}", hint="write an octal number such as 022")
    return word


def _mounts(args: Args) -> list[Mount]:
    found = [parse_volume(word) for word in args.volume]
    found += [parse_mount(word) for word in args.mount]
    found += [parse_tmpfs(word) for word in args.tmpfs]
    if args.tz:
        from rootless.engine.options.zones import zone_mount

        found.append(zone_mount(args.tz))
    return found


def _userns(word: str) -> str:
    parse_userns(word)
    return word


_NETWORK_OPTIONS = {"network", "network_alias", "link", "ip", "ip6", "mac_address"}


def to_network(args: Args) -> Network:
    """What the words say of its network. InvalidInput."""
    mode: str = "bridge"
    options: list[str] = []
    networks: dict[str, EndpointConfig] = {}
    default = _NETWORK_OPTIONS.isdisjoint(args.given)
    if default:
        networks = default_network()
    else:
        from rootless.cli.flags import network

        mode, options, networks, default = network.choose(args)
    published, exposed = [], []
    if args.publish or args.expose:
        from rootless.network import ports

        published = ports.to_data(ports.parse(args.publish))
        exposed = [f"{port}/{protocol}" for port, protocol in ports.parse_exposed(args.expose)]
    found: Network = {
        "mode": mode,
        "options": options,
        "ports": published,
        "exposed": exposed,
        "publish_all": args.publish_all,
        "dns": args.dns,
        "dns_search": args.dns_search,
        "dns_options": args.dns_option,
        "add_host": args.add_host,
    }
    if networks:
        found["networks"] = networks
    if default:
        found["default"] = True
    return found


def _log(args: Args) -> LogConfig:
    if args.log_driver == "json-file" and not args.log_opt:
        return {"driver": "json-file", "max_size": 0, "max_files": 1}
    from rootless.engine.state.logs import options as log_options

    return log_options.parse(args.log_driver, parse_pairs(args.log_opt))


def _security(args: Args) -> Security:
    found = security.asked(privileged=args.privileged, cap_add=args.cap_add, cap_drop=args.cap_drop)
    if args.security_opt:
        from rootless.cli.grammar import refused
        from rootless.engine.options import security_words

        for word in args.security_opt:
            security_words.apply(found, word, refused.security_option)
    return found


def _restart(word: str) -> RestartPolicy:
    name, retries = parse_restart(word)
    return {"name": name, "retries": retries}


def _health(args: Args) -> HealthRequest:
    asked = [name for name in args.given if name.startswith("health_")]
    if args.no_healthcheck:
        if asked:
            raise InvalidInput("--no-healthcheck conflicts with --health-* options")
        return {**NOTHING_ASKED, "test": ["NONE"]}
    if not asked:
        return NOTHING_ASKED
    command = args.health_cmd
    if args.health_retries is not None and args.health_retries < 0:
        raise InvalidInput("--health-retries cannot be negative")

    def nanoseconds(word: str | None, name: str) -> int | None:
        return None if word is None else duration(word, name=name)

    return {
        "test": ["NONE"] if command == "none" else ["CMD-SHELL", command] if command else [],
        "interval_ns": nanoseconds(args.health_interval, "--health-interval"),
        "timeout_ns": nanoseconds(args.health_timeout, "--health-timeout"),
        "start_period_ns": nanoseconds(args.health_start_period, "--health-start-period"),
        "start_interval_ns": nanoseconds(args.health_start_interval, "--health-start-interval"),
        "retries": args.health_retries,
        "on_failure": args.health_on_failure,
    }
