"""`rootless pod ps`: Podman's columns."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from rootless.cli.flags import filters
from rootless.cli.flags.pod import LATEST
from rootless.cli.grammar.command import FLAG, LIST, RUN, VALUE, Args, Command, Option, choice
from rootless.cli.output import units
from rootless.cli.output.format import for_people, visible
from rootless.cli.output.listing import print_listing
from rootless.engine.state import pods
from rootless.engine.state.pods import Pod
from rootless.engine.views import pod_filters
from rootless.engine.views.pod import networks
from rootless.storage.store import Store

HEADERS = {
    "ID": "POD ID",
    "Id": "POD ID",
    "Name": "NAME",
    "Status": "STATUS",
    "Created": "CREATED",
    "InfraID": "INFRA ID",
    "InfraId": "INFRA ID",
    "NumberOfContainers": "# OF CONTAINERS",
    "ContainerIds": "IDS",
    "ContainerNames": "NAMES",
    "ContainerStatuses": "STATUS",
    "Labels": "LABELS",
    "Networks": "NETWORKS",
    "Namespaces": "NAMESPACES",
    "CreatedAt": "CREATED AT",
    "RestartPolicy": "RESTART POLICY",
}
_SHORT = 12

SORTED = {
    "created": lambda pod: pod.config["created_at"] if pod.config else "",
    "id": lambda pod: pod.id,
    "name": lambda pod: pod.name,
    "number": lambda pod: len(pod.members),
    "status": lambda pod: pod.status,
}


def list_pods(args: Args) -> int:
    """A row for each pod."""
    store = Store.open()
    wanted = filters.collect(args.filter, pod_filters.FILTERS)
    tests = pod_filters.tests(wanted)
    found = [pod for pod in pods.every(store) if all(test(store, pod) for test in tests)]
    if args.latest:
        found = found[:1]
    elif args.sort:
        found.sort(key=SORTED[args.sort], reverse=args.sort == "created")
    if (args.format or "").strip() == "json":
        print(for_people(visible(json.dumps([_object(store, pod) for pod in found], indent=2, ensure_ascii=False))))
        return 0
    now = time.time()
    rows = [_fields(store, pod, now, full=args.no_trunc) for pod in found]
    if args.quiet and not args.format:
        # As with Podman the whole ids, for scripts.
        sys.stdout.write("".join(f"{pod.id}\n" for pod in found))
        return 0
    print_listing(rows, _columns(args), headers=HEADERS, template=args.format, heading=not args.noheading)
    return 0


def _columns(args: Args) -> list[str]:
    found = ["ID", "Name", "Status", "Created", "InfraID"]
    if args.ns:
        found.append("Namespaces")
    of_containers = [
        name
        for name, given in (
            ("ContainerIds", args.ctr_ids), ("ContainerNames", args.ctr_names), ("ContainerStatuses", args.ctr_status),
        )
        if given
    ]  # fmt: skip
    return found + (of_containers or ["NumberOfContainers"])


def _fields(store: Store, pod: Pod, now: float, *, full: bool) -> dict[str, Any]:
    config = pod.config
    labels = config["labels"] if config else {}
    created = units.parse_time(config["created_at"]) if config else 0.0

    def short(identifier: str) -> str:
        return identifier if full else identifier[:_SHORT]

    found = {
        "ID": short(pod.id),
        "Name": pod.name,
        "Status": pod.status,
        "Created": units.ago(created, now=now) if config else "",
        "CreatedAt": units.local_time(created) if config else "",
        "InfraID": short(pod.infra),
        "NumberOfContainers": str(len(pod.members)),
        "ContainerIds": ",".join(short(member.id) for member in pod.members),
        "ContainerNames": ",".join(member.name for member in pod.members),
        "ContainerStatuses": ",".join(member.state for member in pod.members),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        "Label": lambda name: labels.get(name, ""),
        "Networks": ",".join(networks(store, pod)),
        "Namespaces": ",".join(config["share"]) if config else "",
        "RestartPolicy": config["restart"]["name"] if config else "",
    }
    return found | {"Id": found["ID"], "InfraId": found["InfraID"]}


def _object(store: Store, pod: Pod) -> dict[str, Any]:
    """The pod as Podman's JSON has it."""
    return {
        "Cgroup": "",
        "Containers": [
            {"Id": member.id, "Names": member.name, "Status": member.state} for member in pod.members
        ],
        "Created": pod.config["created_at"] if pod.config else "",
        "Id": pod.id,
        "InfraId": pod.infra,
        "Name": pod.name,
        "Namespace": "",
        "Networks": networks(store, pod),
        "Status": pod.status,
        "Labels": pod.config["labels"] if pod.config else {},
    }


COMMAND = Command(
    name="pod ps",
    summary="List pods",
    usage="[OPTIONS]",
    options=(
        Option(("--ctr-ids",), "ctr_ids", FLAG, help="Display the container IDs"),
        Option(("--ctr-names",), "ctr_names", FLAG, help="Display the container names"),
        Option(("--ctr-status",), "ctr_status", FLAG, help="Display the container status"),
        Option(("-f", "--filter"), "filter", LIST, metavar="filter", complete="filter:pod", convert=filters.convert,
               help=f"Filter output based on conditions given ({', '.join(pod_filters.FILTERS)})"),
        Option(("--format",), "format", VALUE, metavar="string", help="Format output: table, json, or a Go template"),
        LATEST._replace(dest="latest", help="Show the pod that was created last"),
        Option(("--no-trunc",), "no_trunc", FLAG, help="Do not truncate pod and container IDs"),
        Option(("--noheading",), "noheading", FLAG, help="Do not print the headings of the table"),
        Option(("--ns", "--namespace"), "ns", FLAG, help="Display the namespaces that the pod shares"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Print the IDs of the pods only"),
        Option(("--sort",), "sort", VALUE, metavar="choice", convert=choice(*SORTED), complete="|".join(SORTED),
               help=f"Sort by {', '.join(SORTED)} (default created)"),
    ),
    handler=list_pods,
    max_args=0,
    status=RUN,
    description="Created: nothing has run. Running: all run, the infra, too. Degraded: some run. Paused, Exited: all do. "
    "Stopped: some have ended, and none runs. Dead: the pod's record is damaged.",
)  # fmt: skip
