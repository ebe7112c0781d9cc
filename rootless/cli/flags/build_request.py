"""What the words of `build` ask for: build_options.py's options as a request."""

from __future__ import annotations

import os

from rootless.build.execute.run_config import HOSTNAME, Limits
from rootless.build.output import requested
from rootless.build.remotecache import places
from rootless.build.request import BuildRequest
from rootless.build.secrets import Secret, parse_secret
from rootless.build.ssh import sources as agents
from rootless.cli import client_config
from rootless.cli.grammar.command import Args
from rootless.cli.output.messages import say
from rootless.engine.options.resources import parse as parse_resources
from rootless.engine.options.values import parse_bytes, parse_pairs, parse_ulimit, read_label_file
from rootless.errors import InvalidInput, NotSupported

_NETWORKS = ("", "default", "none", "host")
_ENTITLEMENTS = ("network.host", "security.insecure")


def to_request(args: Args) -> BuildRequest:
    """The request that the words describe; InvalidInput, NotSupported for what is not done and would be missed."""
    _refuse(args)
    build_args = _build_args(args)
    return BuildRequest(
        context=args.positional[0],
        file=args.file,
        tags=args.tag,
        build_args=build_args,
        contexts=_contexts(args.build_context),
        target=args.target,
        labels=parse_pairs(args.label),
        no_cache=args.no_cache,
        no_cache_filter=tuple(name for word in args.no_cache_filter for name in word.split(",") if name),
        pull=_pull(args.pull),
        network="" if args.network == "default" else args.network,
        platforms=[part for word in args.platform for part in word.split(",") if part],
        secrets=_secrets(args.secret),
        agents=agents.parse_all(args.ssh),
        outputs=_outputs(args),
        iidfile=args.iidfile,
        metadata_file=args.metadata_file,
        limits=_limits(args, build_args),
        ignore_file=args.ignorefile,
        annotations=args.annotation,
        explain=args.explain_cache,
        allow=frozenset(args.allow) | ({"network.host"} if args.network == "host" else set()),
        jobs=max(0, args.jobs or 0),
        tls_verify=args.tls_verify,
        cache_from=_places("--cache-from", args.cache_from),
        cache_to=_cache_to(args.cache_to, build_args),
        all_times=args.timestamp is not None,
    )


def _refuse(args: Args) -> None:
    for option, word in (("--provenance", args.provenance), ("--sbom", args.sbom)):
        if word not in (None, "false", "0"):
            raise NotSupported(
                f"{option} is not supported: rootless makes no attestations", hint=f"leave it out, or write {option}=false"
            )
    if args.attest and not all("disabled=true" in word for word in args.attest):
        raise NotSupported("--attest is not supported: rootless makes no attestations", hint="leave it out")
    if args.network not in _NETWORKS:
        raise NotSupported(f"network mode {args.network} not supported by buildkit", hint="default, none or host")
    for word in args.allow:
        if word not in _ENTITLEMENTS and not word.startswith(("fs", "device")):
            raise InvalidInput(f"invalid entitlement: {word}", hint=f"one of {', '.join(_ENTITLEMENTS)}")
    for word in args.security_opt:
        if word not in ("no-new-privileges", "no-new-privileges=true", "seccomp=builtin"):
            raise NotSupported(
                f"--security-opt {word} is not supported with build: every RUN has the walls of `run`", hint="leave it out"
            )
    if args.squash:
        say("--squash is experimental in Docker and dropped by BuildKit: the layers stay as they are")


def _build_args(args: Args) -> dict[str, str]:
    words = [line for path in args.build_arg_file for line in read_label_file(path)]
    proxies = client_config.proxies(client_config.read(), args.build_arg)
    found: dict[str, str] = {}
    for word in [*proxies, *words, *args.build_arg]:
        name, equals, value = word.partition("=")
        if not name:
            raise InvalidInput(f'invalid argument "{word}" for "--build-arg" flag: a variable needs a name')
        if equals:
            found[name] = value
        elif name in os.environ:  # as Docker: one that the caller does not have is not set
            found[name] = os.environ[name]
    if args.timestamp is not None and args.source_date_epoch is not None:
        raise InvalidInput("--timestamp and --source-date-epoch exclude each other")
    given = args.source_date_epoch if args.timestamp is None else args.timestamp
    if given is not None:
        found["SOURCE_DATE_EPOCH"] = str(given)
    elif "SOURCE_DATE_EPOCH" in os.environ:
        found.setdefault("SOURCE_DATE_EPOCH", os.environ["SOURCE_DATE_EPOCH"])
    return found


def _contexts(words: list[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise InvalidInput(f"invalid context value: {word}, expected key=value")
        found[name] = value
    return found


def _places(option: str, words: list[str]) -> list[places.Place]:
    found = []
    for word in words:
        place = places.parse(option, word)
        if place is None:
            say(f"{option} {word}: that service is reached by other builders alone; it has no effect")
        else:
            found.append(place)
    return found


def _cache_to(words: list[str], build_args: dict[str, str]) -> list[places.Place]:
    found = _places("--cache-to", words)
    if build_args.get("BUILDKIT_INLINE_CACHE") in ("1", "true"):
        found.append(places.Place("inline"))
    return found


def _pull(word: str | None) -> str:
    policies = {None: "missing", "true": "always", "always": "always", "newer": "always", "false": "missing",
                "missing": "missing", "ifmissing": "missing", "never": "never"}  # fmt: skip
    if word not in policies:
        raise InvalidInput(f'invalid argument "{word}" for "--pull" flag', hint="always, missing, never or newer")
    return policies[word]


def _secrets(words: list[str]) -> dict[str, Secret]:
    return {secret.id: secret for secret in map(parse_secret, words)}


def _outputs(args: Args) -> list[requested.Output]:
    found = [requested.parse(word) for word in args.output]
    if args.push:
        image = next((number for number, one in enumerate(found) if one.type in ("image", "registry")), None)
        if image is None:
            found.append(requested.Output("registry"))
        else:
            one = found[image]
            found[image] = one._replace(attributes={**one.attributes, "push": "true"})
    if args.load and not any(one.type == "docker" and not one.dest for one in found):
        found.append(requested.Output("docker"))
    found = found or [requested.Output("image")]
    if not args.rewrite_timestamp:
        found = [one._replace(attributes={"rewrite-timestamp": "false", **one.attributes}) for one in found]
    return found


def _limits(args: Args, build_args: dict[str, str]) -> Limits:
    args.__dict__["memory_swappiness"] = None
    return Limits(
        add_host=args.add_host,
        dns=args.dns,
        dns_search=args.dns_search,
        dns_options=args.dns_option,
        shm_size=parse_bytes(args.shm_size, name="shm-size") if args.shm_size else 64 * 1024 * 1024,
        ulimits=[parse_ulimit(word) for word in args.ulimit],
        resources=parse_resources(args),
        cgroup_parent=args.cgroup_parent,
        cap_add=args.cap_add,
        cap_drop=args.cap_drop,
        hostname=build_args.get("BUILDKIT_SANDBOX_HOSTNAME", HOSTNAME),
    )
