"""`rootless import`."""

from __future__ import annotations

import sys

from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.errors import NotSupported
from rootless.storage.store import Store


def make(args: Args) -> int:
    """Import the tarball and print the image's id."""
    from rootless.cli import client_config
    from rootless.cli.output import progress
    from rootless.engine.images import budget
    from rootless.engine.images.lookup import familiar
    from rootless.engine.state.events import events
    from rootless.image import platforms
    from rootless.image.archive.import_tar import import_tar

    path, name = args.positional[0], args.positional[1] if len(args.positional) > 1 else None
    if path.startswith(("http://", "https://")):
        raise NotSupported("import reads files, not addresses", hint=f"curl -fL {path} | rootless import -")
    wanted = client_config.platform(args.platform)
    store = Store.open()
    shown = progress.for_stream(sys.stderr, quiet=args.quiet)
    with budget.kept(store):
        try:
            image = import_tar(
                store,
                path,
                name,
                change=args.change,
                message=args.message,
                platform=platforms.parse(wanted) if wanted else None,
                progress=shown,
            )
        finally:
            progress.finish(shown)
        events.write(store, "image", "import", image.id, name=familiar(image.names[0]) if image.names else "")
        print(image.id)
    return 0


COMMAND = Command(
    name="import",
    summary="Import the contents from a tarball to create a filesystem image",
    usage="[OPTIONS] FILE|- [REPOSITORY[:TAG]]",
    options=(
        Option(("-c", "--change"), "change", LIST, help="Apply Dockerfile instruction to the created image"),
        Option(("-m", "--message"), "message", VALUE, default="", help="Set commit message for imported image"),
        Option(("--platform",), "platform", VALUE, help="Set platform, like linux/arm64"),
        Option(("-q", "--quiet"), "quiet", FLAG, help="Only print the image's ID"),
    ),
    handler=make,
    min_args=1,
    max_args=2,
    description="An archive of `export` has lost CMD, ENV and USER: give them back with --change.",
    examples=(("rootless import --change 'CMD [\"bash\"]' rootfs.tar.zst mine:1", ""),),
    complete="file",
)  # fmt: skip
