"""`rootless run`: its words, and who sees to them. Hot path."""

from __future__ import annotations

from rootless import inherited
from rootless.cli.flags.container_options import OPTIONS
from rootless.cli.grammar.command import FLAG, RUN, VALUE, Args, Command, Option
from rootless.errors import InvalidInput


def run(args: Args) -> int:
    """The exit status. Imports what is needed: the many who enter a shared container start none."""
    if args.shared is None:
        inherited.give_up_claim()
        if args.env_host:
            raise InvalidInput("--env-host goes with --shared alone", hint="name what the container is to have: -e NAME")
        if args.keep:
            raise InvalidInput("--keep goes with --shared alone", hint="a container that outlives its command is one without --rm")
        if args.save:
            raise InvalidInput("--save goes with --shared alone", hint="run it without --rm, then: rootless commit, or rootless export")
        from rootless.cli.commands.container import run_container

        return run_container.run(args)
    from rootless.cli.commands.container import run_shared

    return run_shared.run(args)


COMMAND = Command(
    name="run",
    summary="Create and run a new container from an image",
    usage="[OPTIONS] IMAGE [COMMAND] [ARG...]",
    options=(
        *OPTIONS,
        Option(("-d", "--detach"), "detach", FLAG, help="Run container in background and print container ID"),
        Option(("--env-host",), "env_host", FLAG,
               help="With --shared: give the command the environment of this one, but for what the image sets"),
        Option(("--keep",), "keep", FLAG,
               help="With --shared: run nothing, but print the container's ID and keep it until a signal ends this command"),
        Option(("--rmi",), "rmi", FLAG, help="As --rm, and remove the image, too, unless other containers need it"),
        Option(("--save",), "save", VALUE, metavar="file", default="", complete="file",
               help="With --shared: the last one out that has this option writes the container's files to a squashfs, which `run ./FILE` "
               "takes for an image"),
        Option(("--shared",), "shared", VALUE, metavar="string", implied="",
               help="Run in one container with all other commands of this step of the batch job (elsewhere: of this login) on this "
                    "machine that name the same image and options, or, with a name, the same name; the last one removes it"),
        Option(("--sig-proxy",), "sig_proxy", FLAG, default=True, help="Proxy received signals to the process"),
    ),
    handler=run,
    min_args=1,
    interspersed=False,
    status=RUN,
    complete="image",
    examples=(
        ("rootless run -it --rm debian:bookworm bash", "a shell in a Debian container, gone when you leave it"),
        ("rootless run -d --name web -p 8080:80 -v ./site:/var/www/html:ro web-image", "a web server on port 8080"),
    ),
)
