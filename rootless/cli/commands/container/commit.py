"""`rootless commit`."""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.errors import InvalidInput, RootlessError
from rootless.storage import named_paths
from rootless.storage.store import Store


def run(args: Args) -> int:
    """Make an image of the container and print its id."""
    from rootless.engine.lifecycle.commit import CommitRequest, commit
    from rootless.storage.containers import containers

    if args.format not in ("oci", "docker"):
        raise InvalidInput(f"unknown format {args.format!r}", hint="oci or docker")
    store = Store.open()
    request = CommitRequest(
        name=args.positional[1] if len(args.positional) > 1 else "",
        author=args.author,
        message=args.message,
        changes=args.change,
        pause=args.pause and not args.no_pause,
        docker_types=args.format == "docker",
    )
    image = commit(store, containers.find(store, args.positional[0]), request)
    if args.iidfile:
        try:
            with open(named_paths.open_new_content(args.iidfile, "the file"), "w") as file:
                file.write(image.id)
        except OSError as error:
            raise RootlessError(f"cannot write {args.iidfile}: {error.strerror}") from None
    print(image.id)
    return 0


COMMAND = Command(
    name="commit",
    summary="Create a new image from a container's changes",
    usage="[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    options=(
        Option(("-a", "--author"), "author", VALUE, metavar="string", default="",
               help='Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")'),
        Option(("-c", "--change"), "change", LIST, help="Apply Dockerfile instruction to the created image"),
        Option(("-f", "--format"), "format", VALUE, metavar="string", default="oci", complete="oci|docker",
               help="Media types of the manifest: oci or docker (every instruction is kept in both)"),
        Option(("--iidfile",), "iidfile", VALUE, metavar="file", complete="file", help="Write the image ID to the file"),
        Option(("-m", "--message"), "message", VALUE, metavar="string", default="", help="Commit message"),
        Option(("--no-pause",), "no_pause", FLAG, help="Do not pause the container during commit"),
        Option(("-p", "--pause"), "pause", FLAG, default=True, help="Pause container during commit"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress output: there is none but the ID"),
    ),
    handler=run,
    min_args=1,
    max_args=2,
    complete="container",
    description="Volumes are left out, and so is what the engine put there (/etc/hosts, mount points).",
    examples=(("rootless commit -c 'CMD [\"nginx\"]' -m 'with nginx' web web:2", "an image that starts nginx"),),
)  # fmt: skip
