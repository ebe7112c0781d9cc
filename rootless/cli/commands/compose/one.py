"""`rootless compose exec|attach|cp|export|commit|port`: a container's own command, for a service's container."""

from __future__ import annotations

import sys

from rootless.cli.commands.compose.carry_out import chosen, one_container
from rootless.cli.commands.compose.verbs import meant
from rootless.cli.commands.container import attach, commit, cp, export
from rootless.cli.commands.container import exec as container_exec
from rootless.cli.grammar.command import EXEC, FLAG, LIST, VALUE, Args, Command, Option, choice, integer
from rootless.cli.grammar.parser import parse
from rootless.compose.plan.observed import Container
from rootless.engine.state import running
from rootless.errors import InvalidInput, NotFound
from rootless.network import ports

INDEX = Option(("--index",), "index", VALUE, metavar="int", default=0, convert=integer,
               help="Index of the container if service has multiple replicas")  # fmt: skip


def _container(args: Args, service: str) -> Container:
    work, observed = meant([service])
    if work.project is None and not observed.of(service):
        raise InvalidInput(f'service "{service}" is not running')
    return one_container(observed, service, args.index)


def _exec(args: Args) -> int:
    service, command = args.positional[0], args.positional[1:]
    found = _container(args, service)
    terminal = not args.no_tty and not args.detach and sys.stdin.isatty() and sys.stdout.isatty()
    words = [f"--env={word}" for word in args.env]
    words += ["-i"] * (args.interactive and not args.detach) + ["-t"] * terminal + ["-d"] * args.detach
    words += ["--privileged"] * args.privileged
    words += [f"--user={args.user}"] * bool(args.user) + [f"--workdir={args.workdir}"] * bool(args.workdir)
    return container_exec.COMMAND.handler(parse(container_exec.COMMAND, [*words, found.id, *command]))


def _attach(args: Args) -> int:
    found = _container(args, args.positional[0])
    words = [f"--detach-keys={args.detach_keys}"] * bool(args.detach_keys) + ["--no-stdin"] * args.no_stdin
    words += [] if args.sig_proxy else ["--sig-proxy=false"]
    return attach.COMMAND.handler(parse(attach.COMMAND, [*words, found.id]))


def _export(args: Args) -> int:
    found = _any(args, args.positional[0])
    words = [f"--output={args.output}"] if args.output else []
    return export.COMMAND.handler(parse(export.COMMAND, [*words, found.id]))


def _any(args: Args, service: str) -> Container:
    """A container of the service, whether it runs or not."""
    _, observed = meant([service])
    found = [one for one in observed.of(service) if args.index in (0, one.number)]
    if not found:
        raise InvalidInput(f'service "{service}" has no container' + (f" with index {args.index}" if args.index else ""))
    return found[0]


def _commit(args: Args) -> int:
    found = _any(args, args.positional[0])
    words = [f"--author={args.author}"] * bool(args.author) + [f"--message={args.message}"] * bool(args.message)
    words += [f"--change={word}" for word in args.change] + ([] if args.pause else ["--pause=false"])
    return commit.COMMAND.handler(parse(commit.COMMAND, [*words, found.id, *args.positional[1:]]))


def _cp(args: Args) -> int:
    source, target = args.positional
    services = [name for name in (_service(source), _service(target)) if name]
    if len(services) != 1:
        raise InvalidInput("unknown copy direction" if not services else "copying between services is not supported",
                           hint="write SERVICE:PATH on one side")  # fmt: skip
    _, observed = meant(services)
    found = [one for one in observed.containers if one.service == services[0] and (args.all or not one.oneoff)]
    found = [one for one in chosen(observed._replace(containers=found), services, oneoff=True) if args.index in (0, one.number)]
    if not found:
        raise InvalidInput(f'no container found for service "{services[0]}"')
    if _service(source) or args.index or target == "-" or source == "-":
        found = found[:1]
    words = ["--archive"] * args.archive + ["--follow-link"] * args.follow_link
    for one in found:
        pair = [f"{one.id}:{path.partition(':')[2]}" if _service(path) else path for path in (source, target)]
        cp.COMMAND.handler(parse(cp.COMMAND, [*words, *pair]))
    return 0


def _service(word: str) -> str:
    name, colon, _ = word.partition(":")
    return name if colon and not name.startswith((".", "/")) else ""


def _port(args: Args) -> int:
    service, wanted = args.positional
    found = _container(args, service)
    work, _ = meant([service])
    with running.require(work.store, found.id) as process:
        published = ports.from_data((process.state.get("network") or {}).get("ports") or [])
    lines = ports.port_lines(published, f"{wanted}/{args.protocol}" if "/" not in wanted else wanted)
    if not lines:
        raise NotFound(f"no port {wanted}/{args.protocol} for container {found.name}: {ports.describe(published)}")
    print(lines[0])
    return 0


EXEC_COMMAND = Command(
    name="compose exec", summary="Execute a command in a running container", usage="[OPTIONS] SERVICE COMMAND [ARGS...]",
    options=(
        Option(("-d", "--detach"), "detach", FLAG, help="Detached mode: Run command in the background"),
        Option(("-e", "--env"), "env", LIST, metavar="list", help="Set environment variables"),
        INDEX,
        Option(("-i", "--interactive"), "interactive", FLAG, default=True, hidden=True, help="Keep STDIN open even if not attached"),
        Option(("-T", "--no-tty", "--no-TTY"), "no_tty", FLAG,
               help="Disable pseudo-TTY allocation. By default a TTY is allocated where there is one"),
        Option(("--privileged",), "privileged", FLAG, help="Give extended privileges to the process"),
        Option(("-t", "--tty"), "tty", FLAG, default=True, hidden=True, help="Allocate a pseudo-TTY"),
        Option(("-u", "--user"), "user", VALUE, metavar="string", default="", help="Run the command as this user"),
        Option(("-w", "--workdir"), "workdir", VALUE, metavar="string", default="", help="Path to workdir directory for this command"),
    ),
    handler=_exec, min_args=2, interspersed=False, status=EXEC,
)  # fmt: skip
ATTACH = Command(
    name="compose attach", summary="Attach local standard input, output, and error streams to a service's running container",
    usage="[OPTIONS] SERVICE",
    options=(
        Option(("--detach-keys",), "detach_keys", VALUE, metavar="string", default="", help="Override the key sequence for detaching"),
        INDEX,
        Option(("--no-stdin",), "no_stdin", FLAG, help="Do not attach STDIN"),
        Option(("--sig-proxy",), "sig_proxy", FLAG, default=True, help="Proxy all received signals to the process"),
    ),
    handler=_attach, min_args=1, max_args=1,
)  # fmt: skip
CP = Command(
    name="compose cp", summary="Copy files/folders between a service container and the local filesystem",
    usage="[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n        rootless compose cp [OPTIONS] SRC_PATH|- SERVICE:DEST_PATH",
    options=(
        Option(("--all",), "all", FLAG, help="Include containers created by the run command"),
        Option(("-a", "--archive"), "archive", FLAG, help="Archive mode (copy all uid/gid information)"),
        Option(("-L", "--follow-link"), "follow_link", FLAG, help="Always follow symbol link in SRC_PATH"),
        INDEX,
    ),
    handler=_cp, min_args=2, max_args=2,
)  # fmt: skip
EXPORT = Command(
    name="compose export", summary="Export a service container's filesystem as a tar archive", usage="[OPTIONS] SERVICE",
    options=(
        INDEX,
        Option(("-o", "--output"), "output", VALUE, metavar="string", default="", complete="file",
               help="Write to a file, instead of STDOUT"),
    ),
    handler=_export, min_args=1, max_args=1,
)  # fmt: skip
COMMIT = Command(
    name="compose commit", summary="Create a new image from a service container's changes", usage="[OPTIONS] SERVICE [REPOSITORY[:TAG]]",
    options=(
        Option(("-a", "--author"), "author", VALUE, metavar="string", default="", help="Author of the image (Ada <ada@example.org>)"),
        Option(("-c", "--change"), "change", LIST, help="Apply Dockerfile instruction to the created image"),
        INDEX,
        Option(("-m", "--message"), "message", VALUE, metavar="string", default="", help="Commit message"),
        Option(("-p", "--pause"), "pause", FLAG, default=True, help="Pause container during commit"),
    ),
    handler=_commit, min_args=1, max_args=2,
)  # fmt: skip
PORT = Command(
    name="compose port", summary="Print the public port for a port binding", usage="[OPTIONS] SERVICE PRIVATE_PORT",
    options=(
        INDEX,
        Option(("--protocol",), "protocol", VALUE, metavar="string", default="tcp", convert=choice("tcp", "udp"), complete="tcp|udp",
               help="tcp or udp"),
    ),
    handler=_port, min_args=2, max_args=2,
)  # fmt: skip
