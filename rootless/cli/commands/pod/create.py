"""`rootless pod create`: Podman's words."""

from __future__ import annotations

import os
import sys

from rootless.cli.flags import container_options
from rootless.cli.flags.container_request import to_network
from rootless.cli.grammar.command import FLAG, LIST, RUN, VALUE, Args, Command, Option
from rootless.engine.networks import endpoint_config
from rootless.engine.options.mounts import parse_mount, parse_volume
from rootless.engine.options.userns import parse as parse_userns
from rootless.engine.options.values import parse_bytes, parse_pairs, read_label_file
from rootless.engine.pods import create as pods
from rootless.engine.pods.create import PodRequest
from rootless.engine.state.pods import DEFAULT_SHARE, EXIT_POLICIES
from rootless.engine.state.restart import parse as parse_restart
from rootless.errors import Conflict, InvalidInput
from rootless.session import session
from rootless.storage.store import Store

_OF_CONTAINERS = (
    "add_host", "dns", "dns_option", "dns_search", "ip", "ip6", "mac_address", "network", "network_alias", "publish", "sysctl",
)  # fmt: skip
_BY_DEST = {option.dest: option for option in container_options.OPTIONS}


def create(args: Args) -> int:
    """Make a pod and print its id."""
    if args.pod_id_file and os.path.lexists(args.pod_id_file):
        raise Conflict(
            f"pod id file exists. Ensure another pod is not using it or delete {args.pod_id_file}",
            hint="name another file, or remove that one",
        )
    request = _request(args)
    store = Store.open()
    if args.replace or args.userns:
        session.join()
    identifier = pods.create_pod(store, _resolved(store, request), replace=args.replace)
    if args.pod_id_file:
        _write_id(store, args.pod_id_file, identifier)
    print(identifier)
    return 0


def _resolved(store: Store, request: PodRequest) -> PodRequest:
    """Its networks looked up before anything is done: an error of theirs leaves a pod that was to be replaced."""
    if not request.network.get("networks") or request.network.get("default"):
        return request
    return request._replace(network=endpoint_config.resolve(store, request.network))


def _request(args: Args) -> PodRequest:
    name = args.positional[0] if args.positional else args.name
    if args.positional and args.name:
        raise InvalidInput("cannot specify --name and NAME at the same time", hint="write the name once")
    if args.exit_policy not in EXIT_POLICIES:
        raise InvalidInput(
            f'running pod create option: invalid pod exit policy: "{args.exit_policy}"', hint="--exit-policy continue or stop"
        )
    # What only containers have is not asked for.
    args.__dict__.update(link=[], expose=[], publish_all=False)
    labels = [line for path in args.label_file for line in read_label_file(path)] + args.label
    policy, retries = parse_restart(args.restart)
    # As with Podman: who shares nothing, and does not ask for an infra, gets none.
    share = pods.parse_share(args.share) if "share" in args.given else list(DEFAULT_SHARE) if args.infra else []
    infra = args.infra and (bool(share) or "infra" in args.given)
    parse_userns(args.userns)
    request = PodRequest(
        network=to_network(args),
        restart={"name": policy, "retries": retries},
        name=name,
        hostname=args.hostname,
        infra=infra,
        infra_name=args.infra_name,
        labels=parse_pairs(labels),
        share=share,
        exit_policy=args.exit_policy,
        mounts=[*(parse_volume(word) for word in args.volume), *(parse_mount(word) for word in args.mount)],
        shm_size=parse_bytes(args.shm_size, name="shm-size") if args.shm_size else 64 * 1024 * 1024,
        sysctls=parse_pairs(args.sysctl),
        userns=args.userns,
        command=[os.path.basename(sys.argv[0]), *sys.argv[1:]],
    )
    pods.check_options(request, args.given)
    return request


def _write_id(store: Store, path: str, identifier: str) -> None:
    from rootless.engine.pods import remove
    from rootless.storage import named_paths

    try:
        with open(named_paths.open_new_file(path, "the pod ID file"), "w", encoding="ascii") as file:
            file.write(identifier)
    except (OSError, InvalidInput):
        session.join()
        remove.remove_pod(store, identifier)
        raise


COMMAND = Command(
    name="pod create",
    summary="Create a new empty pod",
    usage="[OPTIONS] [NAME]",
    options=(
        *(_BY_DEST[dest] for dest in _OF_CONTAINERS),
        Option(("--exit-policy",), "exit_policy", VALUE, metavar="string", default="continue", complete="|".join(EXIT_POLICIES),
               help='What becomes of the pod when its last container exits: it goes on (continue), or its infra is stopped, too (stop)'),
        Option(("-h", "--hostname"), "hostname", VALUE, metavar="string", default="", help="Host name of the pod (default: its name)"),
        Option(("--infra",), "infra", FLAG, default=True,
               help="Keep what the containers share in an infra container, a process of ours without an image"),
        Option(("--infra-name",), "infra_name", VALUE, metavar="string", default="", help="Name of the infra container"),
        Option(("-l", "--label"), "label", LIST, metavar="list", help="Set metadata on the pod"),
        Option(("--label-file",), "label_file", LIST, metavar="list", help="Read in a line delimited file of labels", complete="file"),
        Option(("--mount",), "mount", LIST, metavar="mount", help="Attach a filesystem mount to all containers of the pod"),
        Option(("-n", "--name"), "name", VALUE, metavar="string", default="", help="Assign a name to the pod"),
        Option(("--pod-id-file",), "pod_id_file", VALUE, metavar="file", default="", help="Write the pod ID to the file", complete="file"),
        Option(("--replace",), "replace", FLAG, help="Remove a pod of the same name first, with all its containers"),
        Option(("--restart",), "restart", VALUE, metavar="string", default="no", complete="no|on-failure|always|unless-stopped",
               help="Restart policy of the infra, and of the containers that ask for none"),
        Option(("--share",), "share", VALUE, metavar="string", default=",".join(DEFAULT_SHARE),
               help="Namespaces that the containers share, of ipc, net, pid and uts: a list, +NAME or -NAME in addition "
                    'to or out of the default, or none (default "ipc,net,uts")'),
        Option(("--shm-size",), "shm_size", VALUE, metavar="bytes", help="Size of the /dev/shm that is shared (default 64m)"),
        Option(("--userns",), "userns", VALUE, metavar="string", default="", complete="auto|keep-id|nomap",
               help="User namespace of the pod: keep-id (your own id inside, for -u), auto (ids of its own), nomap"),
        Option(("-v", "--volume"), "volume", LIST, metavar="list", help="Mount a directory or volume in all containers of the pod"),
    ),
    handler=create,
    max_args=1,
    status=RUN,
    description="A pod is some containers that share a network, with its addresses and published ports, a host name and "
    "System V IPC with /dev/shm. Put containers into it with `rootless run --pod NAME`, and act on all of them with "
    "`rootless pod start`, `stop` and `rm`.",
    examples=(
        ("rootless pod create --name app -p 8080:80", "ports are the pod's, not its containers'"),
        ("rootless run -d --pod app --name web web-image", ""),
    ),
)  # fmt: skip
